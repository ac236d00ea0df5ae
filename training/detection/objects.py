"""Annotated and found objects of COCO files, checked one by one: what is bad is named."""

import math
from collections.abc import Callable, Mapping

from pycocotools import mask as coco_mask

from hrnet_tf.training.data.coco_fields import annotated_box


def checked(entry: object) -> Mapping:
    """The entry, if it is an object of JSON."""
    if not isinstance(entry, Mapping):
        raise ValueError(f"it is {entry!r}, not an object")
    return entry


def box_of(entry: Mapping, mask: Mapping | None) -> list[float]:
    """The box x, y, width, height of an entry; without one, that of its mask.

    Raises:
        KeyError, ValueError: there is no box, or it is not four numbers.
    """
    try:
        return annotated_box(entry, empty=True).tolist()
    except KeyError:
        if mask is None:
            raise
        return [float(v) for v in coco_mask.toBbox(mask)]


def is_number(value: object) -> bool:
    """Whether a value is a finite number."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and math.isfinite(value)


class Reasons:
    """Collects why entries of a list are left out: one line for each reason, with its number."""

    def __init__(self):
        self._found = {}

    def add(self, name: str, error: Exception) -> None:
        """Notes an entry that cannot be used."""
        reason = f"it has no {error}" if isinstance(error, KeyError) else str(error)
        self._found.setdefault(reason, []).append(name)

    def report(self, path: object, report: Callable[[str], None]) -> None:
        """Reports each reason with the first entries that it applies to."""
        for reason, names in self._found.items():
            more = f" and {len(names) - 3} more" if len(names) > 3 else ""
            verb = "is" if len(names) == 1 else "are"
            text = f"{path}: {', '.join(names[:3])}{more} {verb} left out: {reason}."
            report(" ".join(text.split()))
