"""Runs detectors: from a prepared image to candidates, boxes of one class each before NMS."""

import time
from typing import NamedTuple, Protocol

import numpy as np

from hrnet_tf.cards.detection import DetectionCard
from hrnet_tf.runtime.network import Network
from hrnet_tf.tasks.detection import fcos
from hrnet_tf.tasks.detection.prepare import Prepared


class Candidates(NamedTuple):
    """Boxes that may be objects.

    Attributes:
        boxes: (N, 4) x1, y1, x2, y2 in pixels of the network's input.
        scores: (N,) from 0 to 1.
        classes: (N,) indices of the card's classes.
    """

    boxes: np.ndarray
    scores: np.ndarray
    classes: np.ndarray


class Finder(Protocol):
    """Runs a detector.

    Attributes:
        seconds: that it has spent in the network so far.
    """

    seconds: float

    def candidates(
        self, image: Prepared, threshold: float, classes: np.ndarray | None
    ) -> Candidates:
        """The candidates with a higher score than `threshold`, of these classes or of all."""

    def masks(self, boxes: np.ndarray, classes: np.ndarray) -> np.ndarray:
        """Probabilities (N, M, M) of the masks of these boxes of the image before."""


def finder(network: Network, card: DetectionCard) -> Finder:
    """The `Finder` of a network; raises ValueError if it cannot be run in parts."""
    if not card.stages:
        return Points(network, card)
    from hrnet_tf.tasks.detection.regions import Regions, parts

    return Regions(parts(network, card), card)


class Points:
    """Runs FCOS, which predicts a box from every point."""

    def __init__(self, network: Network, card: DetectionCard):
        self.seconds = 0.0
        self._network, self._card = network, card

    def candidates(self, image, threshold, classes):
        """See `Finder`."""
        start = time.perf_counter()
        found = self._network({"image": image.pixels[None]})
        self.seconds += time.perf_counter() - start
        self._card.check_arrays(found)
        parts = []
        for level in self._card.levels:
            names = (f"{kind}_P{level}" for kind in ("class_logits", "log_distances", "centerness"))
            maps = [finite(name, found[name])[0] for name in names]
            if classes is not None:
                maps[0] = maps[0][..., classes]
            parts.append(fcos.candidates(maps, 2**level, image.size, threshold))
        boxes, scores, chosen = (np.concatenate(each) for each in zip(*parts, strict=True))
        return Candidates(boxes, scores, chosen if classes is None else classes[chosen])


def finite(name: str, values: np.ndarray) -> np.ndarray:
    """The values of an output as float32; raises ValueError if one is not finite."""
    values = np.asarray(values, np.float32)
    if not np.isfinite(values).all():
        raise ValueError(
            f"The network returned numbers in {name!r} that are not finite. Its weights are "
            "damaged, or its numbers overflow: load it again, or use float32."
        )
    return values
