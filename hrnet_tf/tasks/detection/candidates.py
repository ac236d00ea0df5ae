"""What detectors of either kind return: boxes of one class each, before NMS."""

from typing import NamedTuple, Protocol

import numpy as np

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


def finite(name: str, values: np.ndarray) -> np.ndarray:
    """The values of an output as float32; raises ValueError if one is not finite."""
    values = np.asarray(values, np.float32)
    if not np.isfinite(values).all():
        raise ValueError(
            f"The network returned numbers in {name!r} that are not finite. Its weights are "
            "damaged, or its numbers overflow: load it again, or use float32."
        )
    return values
