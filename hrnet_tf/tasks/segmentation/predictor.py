"""`SegmentationPredictor`: from images in memory to class maps."""

import os
import time
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from itertools import product

import keras
import numpy as np
from keras import ops

from hrnet_tf.cards.scores import logits_of
from hrnet_tf.cards.segmentation import SegmentationCard
from hrnet_tf.media.images import check_image
from hrnet_tf.media.resize import resize
from hrnet_tf.opening import settled
from hrnet_tf.runtime.network import Network, fixed_size
from hrnet_tf.tasks.segmentation.sizes import (
    multiples,
    pad,
    resized_first,
    scaled_size,
    window_starts,
)
from hrnet_tf.tasks.streaming import Timings

MULTIPLE = 32  # of the sides of images for networks without a fixed size
BORDER = 8  # sides of images are multiples of this after their short side was resized

STRIP = 64  # rows of the image whose full-size scores are in memory at a time


class SegmentationPredictor:
    """Finds the class of each pixel, by the rules of the original `lib/datasets`.

    A network of a fixed size sees windows of that size; windows that reach beyond the image are
    padded with black, and scores are averaged where windows overlap (`base_dataset.py`). Any other
    network sees the whole image, padded to multiples of 32 with the mean colour. If `window` is
    given, it sees windows at scales above 1; the last ones are shifted to end at the image's edge
    (`cityscapes.py`).

    Scores are exp(logits), added over the scales; in the flip test the logits of both images are
    averaged. Memory grows with the pixels of the scaled image times the number of classes; the
    card's `resize` limits it.

    Args:
        model: a preset, a `.keras` file, a Keras model, or anything that maps normalised images
            (1, H, W, 3) float32 to logits (1, h, w, C), both NumPy arrays.
        card: what the logits mean; by default the preset's, or the one beside the file.
        weights: checkpoint for a preset.
        scales: factors by which the image is scaled after the card's `resize`.
        flip: average with the mirrored image: more accurate, and twice the work.
        window: (height, width) of the windows, for a network without a fixed size.
        stride: step between windows as a fraction of their size; `cityscapes.py` has 1.
        multiple: sides of the images that a network without a fixed size takes are multiples of it.

    Attributes:
        timings: seconds of the stages resize, network and decode so far.

    Raises:
        OSError, ValueError: the model cannot be opened or does not fit its card, or an argument is
            out of range.
    """

    def __init__(
        self,
        model: str | os.PathLike | keras.Model | Network | Callable[[np.ndarray], np.ndarray],
        card: SegmentationCard | None = None,
        weights: str | os.PathLike | Mapping | None = "published",
        scales: Sequence[float] = (1.0,),
        flip: bool = False,
        window: tuple[int, int] | None = None,
        stride: float = 2 / 3,
        multiple: int = MULTIPLE,
    ):
        if not len(scales) or min(scales) <= 0 or not 0 < stride <= 1:
            raise ValueError(
                "`scales` must be positive numbers, `stride` above 0 and at most 1. "
                f"Received: scales={tuple(scales)}, stride={stride}."
            )
        self._network, self.card = settled(model, card, weights, SegmentationCard)
        self._fixed = fixed_size(self._network)
        self.scales = tuple(scales)
        self.flip = bool(flip)
        self.window = window
        self.stride = stride
        self._multiple = multiple
        self.timings = Timings()
        self._in_network = 0.0  # seconds that the current image has spent in the network

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """Classes of one image.

        Args:
            image: (H, W, 3) uint8 RGB.

        Returns:
            (H, W) indices of `card.classes`: uint8, or uint16 for more than 256 classes.

        Raises:
            ValueError: the image has another shape or type, or the logits do not fit the card or
                overflow.
        """
        dtype = np.uint8 if len(self.card.classes) <= 256 else np.uint16
        strips = (scores.argmax(axis=-1).astype(dtype) for scores in self._strips(image))
        return np.concatenate(list(strips))

    def scores(self, image: np.ndarray) -> np.ndarray:
        """Scores of one image, (H, W, C) float32: exp(logits), added over the scales.

        Divided by their sum over C, scores are probabilities. Raises as a call does.
        """
        return np.concatenate(list(self._strips(image)))

    def stream(self, items: Iterable[tuple]) -> Iterator[tuple[Hashable, np.ndarray, np.ndarray]]:
        """Yields `(key, image, classes)` for each item, in their order; boxes are ignored."""
        for item in items:
            key, image, *_ = item
            yield key, image, self(image)

    def _strips(self, image):
        """Yields the scores of `STRIP` rows of the image at a time, from top to bottom."""
        start, self._in_network = time.perf_counter(), 0.0
        image = check_image(image)
        maps = self._maps(image)
        scored = time.perf_counter()
        for first in range(0, len(image), STRIP):
            rows = range(first, min(first + STRIP, len(image)))
            size, align_corners = image.shape[:2], self.card.align_corners
            yield sum(resize(each, size, align_corners, rows) for each in maps)
        self.timings.add("resize", scored - start - self._in_network)
        self.timings.add("network", self._in_network)
        self.timings.add("decode", time.perf_counter() - scored)

    def _maps(self, image):
        """Scores of the image at each scale; their sum, if it was resized before."""
        if self.card.resize not in ("both", "short_long"):
            return [self._scaled(image, scale) for scale in self.scales]
        small = resized_first(image, self.card)
        height, width, _ = small.shape
        sides = multiples((height, width), 1 if self.card.resize == "both" else BORDER)
        bordered = pad(small, sides, np.round(255 * np.array(self.card.mean)))
        maps = (self._scaled(bordered, scale) for scale in self.scales)
        total = sum(resize(each, sides, self.card.align_corners) for each in maps)
        return [total[:height, :width]]

    def _scaled(self, image, scale):
        """Scores (h, w, C) of the image at one scale."""
        image = resize(image, scaled_size(image.shape[:2], self.card, scale))
        image = ops.convert_to_numpy(self.card.normalize(image))
        if self._fixed:
            return self._slide(image, self._fixed, padded=True)
        if self.window and scale > 1:
            return self._slide(image, self.window, padded=False)
        return self._score(image)

    def _slide(self, image, window, padded):
        """Scores of an image, averaged over windows."""
        height, width, _ = image.shape
        scores = np.zeros((height, width, len(self.card.classes)), np.float32)
        count = np.zeros((height, width, 1), np.float32)
        black = self.card.normalize(np.zeros(3))
        starts = (
            window_starts(length, side, self.stride, padded)
            for length, side in zip((height, width), window, strict=True)
        )
        for y, x in product(*starts):
            part = np.s_[y : y + window[0], x : x + window[1]]
            tile = image[part]
            tall, wide, _ = tile.shape
            tile = pad(tile, window, black) if padded else tile
            scores[part] += self._score(tile)[:tall, :wide]
            count[part] += 1
        scores /= count
        return scores

    def _score(self, image):
        """exp(logits) of a normalised image, (h, w, 3) -> (h, w, C)."""
        height, width, _ = image.shape
        if not self._fixed:
            image = pad(image, multiples((height, width), self._multiple), np.zeros(image.shape[2]))
        logits = self._logits(image)
        if self.flip:
            mirrored = self._logits(np.ascontiguousarray(image[:, ::-1]))
            logits += mirrored[:, ::-1, self.card.flip_index]
            logits *= 0.5
        with np.errstate(over="ignore"):
            scores = np.exp(logits, out=logits)[:height, :width]
        if not np.isfinite(scores).all():
            raise ValueError(
                "The network returned logits that are not finite or above 88. Its weights are "
                "damaged, or its numbers overflow: load it again, or use float32."
            )
        return scores

    def _logits(self, image):
        """Logits of a normalised image at its size, a new array."""
        start = time.perf_counter()
        found = self._network({"image": image[None]})
        self._in_network += time.perf_counter() - start
        self.card.check_arrays(found)
        logits = logits_of(found["logits"], self.card.scores, self.card.one_channel)
        return resize(logits[0], image.shape[:2], self.card.align_corners)
