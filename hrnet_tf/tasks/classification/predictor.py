"""`ImageClassifier`: from images in memory to the names of what they show."""

import os
import time
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import keras
import numpy as np
from keras import ops
from PIL import Image

from hrnet_tf.cards.classification import ClassificationCard
from hrnet_tf.cards.scores import logits_of
from hrnet_tf.labels.classes import IMAGENET
from hrnet_tf.media.images import check_image
from hrnet_tf.opening import crop_size, settled
from hrnet_tf.runtime.network import Network
from hrnet_tf.tasks.streaming import HELD_BYTES, Timings, ahead

FILTERS = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}


class Prediction(NamedTuple):
    """One class that an image may show."""

    index: int
    name: str
    probability: float


class ImageClassifier:
    """Finds the most probable classes of images.

    Args:
        model: a preset, a `.keras` file, a Keras model, or anything that maps normalised crops
            (1, H, W, 3) float32 to logits (1, C), both NumPy arrays.
        card: what the logits mean; by default the preset's, or the one beside the file.
        weights: checkpoint for a preset.
        top: how many classes to return.
        input_size: (height, width) of the crops, for a network that does not fix it.
        batch_size: images per call of the network in `stream`.

    Attributes:
        timings: seconds of the stages crop, normalize, network and decode so far.

    Raises:
        OSError, ValueError: the model cannot be opened, or does not fit its card.
    """

    def __init__(
        self,
        model: str | os.PathLike | keras.Model | Network | Callable[[np.ndarray], np.ndarray],
        card: ClassificationCard | None = None,
        weights: str | os.PathLike | Mapping | None = "published",
        top: int = 5,
        input_size: tuple[int, int] | None = None,
        batch_size: int = 16,
    ):
        self._network, self.card = settled(model, card, weights, ClassificationCard)
        self.top, self.batch_size = top, batch_size
        self.input_size = crop_size(self._network, input_size)
        self.timings = Timings()

    def __call__(self, image: np.ndarray) -> list[Prediction]:
        """The most probable classes of one image (H, W, 3) uint8 RGB, best first.

        Raises:
            ValueError: the image has another shape or type, or the logits do not fit the card.
        """
        (found,) = self._classified([self._crop(image)])
        return found

    def stream(self, items: Iterable[tuple]) -> Iterator[tuple[Hashable, np.ndarray, list]]:
        """Yields `(key, image, predictions)` for each `(key, image)`, in their order.

        A background thread cuts the next crops. At most a batch of images is held, or fewer if they
        are large.
        """
        held, crops, size = [], [], 0
        for (key, image), crop in ahead(self._cut, items, self.batch_size):
            held.append((key, image))
            crops.append(crop)
            size += image.nbytes
            if len(crops) == self.batch_size or size > HELD_BYTES:
                yield from self._answers(held, crops)
                held, crops, size = [], [], 0
        if held:
            yield from self._answers(held, crops)

    def _cut(self, item):
        key, image, *_ = item
        return (key, image), self._crop(image)

    def _answers(self, held, crops):
        for (key, image), found in zip(held, self._classified(crops), strict=True):
            yield key, image, found

    def _crop(self, image):
        start = time.perf_counter()
        crop = central_crop(check_image(image), self.input_size, self.card)
        self.timings.add("crop", time.perf_counter() - start)
        return crop

    def _classified(self, crops):
        """The most probable classes of crops (H, W, 3), a list for each."""
        start = time.perf_counter()
        arrays = ops.convert_to_numpy(self.card.normalize(np.stack(crops)))
        normalized = time.perf_counter()
        found = self._network({"image": arrays})
        answered = time.perf_counter()
        self.card.check_arrays(found)
        logits = logits_of(found["logits"], self.card.scores, self.card.one_channel)
        if self.card.scores == "sigmoid" and not self.card.one_channel:
            # Classes do not exclude each other, so there is no softmax.
            answers = [_best(each, self.top, self.card.classes) for each in found["logits"]]
        else:
            answers = decode_predictions(logits, self.top, self.card.classes)
        decoded = time.perf_counter()
        for _ in crops:
            self.timings.add("normalize", (normalized - start) / len(crops))
            self.timings.add("network", (answered - normalized) / len(crops))
            self.timings.add("decode", (decoded - answered) / len(crops))
        return answers


def central_crop(image: np.ndarray, size: tuple[int, int], card: ClassificationCard) -> np.ndarray:
    """The middle of an image, as torchvision's Resize and CenterCrop cut it on Pillow images.

    The image is scaled, with smoothing, until its shorter side is that of `size` divided by the
    card's `crop_fraction`.

    Args:
        image: (H, W, 3) uint8 RGB.
        size: (height, width) of the crop.
        card: has the fraction and the interpolation.

    Returns:
        (height, width, 3) uint8.
    """
    least = [int(side / card.crop_fraction + 1e-6) for side in size]
    factor = max(want / have for want, have in zip(least, image.shape, strict=False))
    sides = [int(side * factor + 1e-6) for side in image.shape[:2]]
    height, width = (max(pair) for pair in zip(least, sides, strict=True))
    scaled = Image.fromarray(image).resize((width, height), FILTERS[card.interpolation])
    top, left = (round((have - want) / 2) for have, want in zip((height, width), size, strict=True))
    return np.asarray(scaled)[top : top + size[0], left : left + size[1]]


def decode_predictions(
    logits: np.ndarray, top: int = 5, classes: Sequence[str] = IMAGENET.names
) -> list:
    """The most probable classes.

    Args:
        logits: (C,) or (B, C), before the softmax.
        top: how many to return.
        classes: C names.

    Returns:
        `Prediction`s (index, name, probability), best first; for (B, C) a list of such lists.

    Raises:
        ValueError: the numbers of logits and names differ, or a logit is not finite.
    """
    logits = np.asarray(logits, np.float64)
    if logits.ndim not in (1, 2) or logits.shape[-1] != len(classes):
        raise ValueError(
            f"`logits` must be ({len(classes)},) or (B, {len(classes)}), one per name of `classes`."
            f" Received: logits.shape={logits.shape}."
        )
    if not np.isfinite(logits).all():
        raise ValueError(
            "`logits` must be finite. The network's weights are damaged, or its numbers overflow: "
            "load it again, or use float32."
        )
    if logits.ndim == 2:
        return [decode_predictions(row, top, classes) for row in logits]
    probabilities = np.exp(logits - logits.max())
    probabilities /= probabilities.sum()
    return _best(probabilities, top, classes)


def _best(probabilities, top, classes):
    best = np.argsort(-probabilities, kind="stable")[:top]
    return [Prediction(int(i), classes[i], float(probabilities[i])) for i in best]
