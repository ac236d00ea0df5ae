"""Which numbers the label files of segmentation data sets have for the classes, as data."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

IGNORED = 255  # the label of pixels that no class is known of, in training and evaluation
UNKNOWN = 254  # what `LabelValues.table` has for numbers that a file must not have
MOST_CLASSES = 254
VALUES = 2**16  # numbers that a label file may have


@dataclass(frozen=True)
class LabelValues:
    """The meaning of the numbers in a label file.

    Attributes:
        classes: the number of each class.
        ignored: numbers of pixels without a class.
    """

    classes: tuple[int, ...]
    ignored: tuple[int, ...] = (IGNORED,)

    def table(self) -> np.ndarray:
        """(65536,) uint8: number in the file -> class, `IGNORED` or `UNKNOWN`."""
        table = np.full(VALUES, UNKNOWN, np.uint8)
        table[list(self.ignored)] = IGNORED
        table[list(self.classes)] = range(len(self.classes))
        return table


def plain(count: int, ignored: Sequence[int] = (IGNORED,)) -> LabelValues:
    """The numbers are the classes 0, 1, …"""
    return LabelValues(tuple(range(count)), tuple(ignored))


def from_one(count: int) -> LabelValues:
    """The numbers are one more than the classes; 0 and 255 have none.

    ADE20K, PASCAL-Context with 59 classes; OpenMMLab's `reduce_zero_label`.
    """
    return LabelValues(tuple(range(1, count + 1)), (0, IGNORED))


# The label ids of labels.py in cityscapesScripts; the id -1 of licence plates is stored as 255.
_CITYSCAPES = (7, 8, 11, 12, 13, 17, *range(19, 29), 31, 32, 33)
CITYSCAPES_IDS = LabelValues(
    _CITYSCAPES, (*(each for each in range(34) if each not in _CITYSCAPES), IGNORED)
)
# labels.txt of COCO-Stuff: 182 ids, of which 11 are not in use.
_UNUSED = (12, 26, 29, 30, 45, 66, 68, 69, 71, 83, 91)
COCO_STUFF_IDS = LabelValues(
    tuple(each for each in range(1, 183) if each not in _UNUSED), (0, IGNORED)
)
BINARY = LabelValues((0, 255), ())  # black and white
