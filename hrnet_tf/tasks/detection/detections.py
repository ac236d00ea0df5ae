"""`Detections`: the objects of an image, the result of detectors."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from pycocotools import mask as coco_mask


@dataclass(frozen=True, eq=False)
class Detections:
    """The objects of an image, best first.

    Attributes:
        boxes: (N, 4) x, y, width, height in pixels of the image, float32.
        scores: (N,) float32.
        classes: (N,) indices of the card's classes, int64.
        masks: COCO run-length encodings of the size of the image, one per object; None if the
            network finds no masks. Kept encoded: 100 masks of a photo take 200 MB as arrays.
    """

    boxes: np.ndarray
    scores: np.ndarray
    classes: np.ndarray
    masks: tuple[Mapping, ...] | None = None

    def __len__(self) -> int:
        return len(self.scores)

    def mask(self, index: int) -> np.ndarray:
        """The mask of one object, (H, W) bool."""
        return coco_mask.decode(self.masks[index]).astype(bool)

    def chosen(self, rows: np.ndarray) -> "Detections":
        """The objects of these indices, or of a boolean array (N,), in this order."""
        rows = np.arange(len(self))[rows]
        masks = None if self.masks is None else tuple(self.masks[row] for row in rows)
        return Detections(self.boxes[rows], self.scores[rows], self.classes[rows], masks)


def no_detections(masks: bool) -> Detections:
    """The result of an image without objects."""
    empty = np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros(0, np.int64)
    return Detections(*empty, () if masks else None)
