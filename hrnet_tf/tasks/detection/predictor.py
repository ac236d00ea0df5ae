"""`DetectionPredictor`: from images in memory to the objects in them."""

import os
import time
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence

import keras
import numpy as np

from hrnet_tf.cards.detection import DetectionCard
from hrnet_tf.names import check_choice
from hrnet_tf.opening import settled
from hrnet_tf.runtime.network import Network, fixed_size
from hrnet_tf.tasks.detection.deltas import sides
from hrnet_tf.tasks.detection.detections import Detections, no_detections
from hrnet_tf.tasks.detection.masks import encoded
from hrnet_tf.tasks.detection.nms import class_nms
from hrnet_tf.tasks.detection.points import Points
from hrnet_tf.tasks.detection.prepare import Prepared, prepare
from hrnet_tf.tasks.detection.regions import Regions, parts
from hrnet_tf.tasks.streaming import Timings, ahead


class DetectionPredictor:
    """Finds the objects of images, by the rules of mmdetection.

    An image is scaled and padded as the card says; a network of a fixed size gets the image fitted
    into that size. NMS runs in the scaled image if the network finds masks, otherwise, and always
    in the inclusive geometry, in the original one.

    Args:
        model: a preset, a `.keras` file, a Keras model of `hrnet_tf.detection`, or for FCOS
            anything that maps normalised images (1, H, W, 3) float32 to the card's outputs.
        card: what the outputs mean; by default the preset's, or the one beside the file.
        weights: checkpoint for a preset.
        score_threshold: lowest score of an object; the card's if None. The card's threshold of an
            FCOS network is for the score of the class before it is multiplied by the centerness.
        classes: names of the classes to find; all if None.
        most: highest number of objects in an image; the card's if None.
        masks: find the masks, if the network can.
        nms: IoU above which two boxes of a class are one object; the card's if None.

    Attributes:
        timings: seconds of the stages resize, network and decode so far.

    Raises:
        OSError, ValueError: the model cannot be opened or does not fit its card, or an argument is
            out of range.
    """

    def __init__(
        self,
        model: str | os.PathLike | keras.Model | Network | Callable[[np.ndarray], Mapping],
        card: DetectionCard | None = None,
        weights: str | os.PathLike | Mapping | None = "published",
        score_threshold: float | None = None,
        classes: Sequence[str] | None = None,
        most: int | None = None,
        masks: bool = True,
        nms: float | None = None,
    ):
        network, self.card = settled(model, card, weights, DetectionCard)
        self._fixed = fixed_size(network)
        self._least = score_threshold
        self.score_threshold = _or(score_threshold, self.card.score_threshold)
        self.most = _or(most, self.card.most)
        self.nms = _or(nms, self.card.nms)
        if not 0 <= self.score_threshold <= 1 or not 0 <= self.nms <= 1 or self.most < 1:
            raise ValueError(
                "`score_threshold` and `nms` must be within 0..1, `most` 1 or more. Received: "
                f"score_threshold={score_threshold}, nms={nms}, most={most}."
            )
        self.masks = masks and self.card.masks
        self._classes = _indices(classes, self.card.classes)
        self._finder = Points(network, self.card)
        if self.card.stages:
            self._finder = Regions(parts(network, self.card), self.card)
        self.timings = Timings()

    def __call__(self, image: np.ndarray, boxes: np.ndarray | None = None) -> Detections:
        """The objects of one image (H, W, 3) uint8 RGB, best first; `boxes` are ignored.

        Raises:
            ValueError: the image has another shape or type, or the network's outputs do not fit the
                card or are not finite.
        """
        [(_, _, found)] = self.stream([(None, image)])
        return found

    def stream(self, items: Iterable[tuple]) -> Iterator[tuple[Hashable, np.ndarray, Detections]]:
        """Yields `(key, image, detections)` for each item, in their order; boxes are ignored.

        The next images are prepared while the network works.
        """

        def prepared(item):
            start = time.perf_counter()
            found = prepare(item[1], self.card, self._fixed)
            self.timings.add("resize", time.perf_counter() - start)
            return item, found

        for (key, image, *_), each in ahead(prepared, items, 1):
            yield key, image, self.detect(each)

    def detect(self, image: Prepared) -> Detections:
        """The objects of a prepared image, best first; raises as a call does."""
        start, in_network = time.perf_counter(), self._finder.seconds
        # Worse candidates cannot remove better ones, so a high threshold may be applied early.
        threshold = min(self.score_threshold, self.card.score_threshold)
        found = self._finder.candidates(image, threshold, self._classes)
        good = (sides(found.boxes, self.card.geometry) > 0).all(axis=1)
        if self._least is not None:
            good &= found.scores >= self._least
        boxes, scores, classes = (each[good] for each in found)
        scale, geometry = np.tile(image.scale, 2), self.card.geometry
        originals = boxes / scale
        late = self.card.masks and geometry == "continuous"
        compared = boxes if late else originals
        kept = class_nms(compared, scores, classes, self.nms, geometry, self.most)
        masks = None
        if self.masks and len(kept):
            masks = self._finder.masks(boxes[kept], classes[kept])
            masks = encoded(masks, originals[kept], image.original, geometry)
        network = self._finder.seconds - in_network
        self.timings.add("network", network)
        self.timings.add("decode", time.perf_counter() - start - network)
        if not len(kept):
            return no_detections(self.masks)
        corners, size = originals[kept], sides(originals[kept], geometry)
        found = np.concatenate([corners[:, :2], size], axis=1).astype(np.float32)
        return Detections(found, np.float32(scores[kept]), classes[kept].astype(np.int64), masks)


def _or(value, default):
    return default if value is None else value


def _indices(names, classes):
    """The sorted indices of these classes; None for all."""
    if names is None:
        return None
    if isinstance(names, str) or not len(names):
        raise ValueError(f"`classes` must be a list of names. Received: classes={names!r}.")
    for name in names:
        check_choice("classes", name, classes)
    return np.unique([classes.index(name) for name in names])
