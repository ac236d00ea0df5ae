"""Annotated and found objects of COCO files, checked one by one: what is bad is named."""

import math
from collections.abc import Callable, Mapping, Sequence

from pycocotools import mask as coco_mask

from hrnet_tf.tasks.detection.results import plain_mask

Size = tuple[int, int] | None  # height and width of an image, if they are known


def plain_id(value: object) -> object:
    """An id by which entries are matched: files write the same one as 7, 7.0 and "7"."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError(f"the id {value!r} is neither a number nor text")
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


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
    if not entry.get("bbox") and mask is not None:
        return [float(v) for v in coco_mask.toBbox(mask)]
    box = entry["bbox"]
    if not isinstance(box, Sequence) or len(box) != 4 or not all(map(is_number, box)):
        raise ValueError(f"its box is {box!r}, not four numbers")
    if min(box[2:]) < 0:
        raise ValueError(f"its box has a negative side: {box}")
    return [float(v) for v in box]


def mask_of(entry: Mapping, size: Size, trusted: bool = False) -> dict | None:
    """The mask of an entry as a run-length encoding; None if the entry has none.

    Args:
        entry: its `segmentation` is polygons, or a run-length encoding with numbers or text.
        size: of its image.
        trusted: whether text needs no check.

    Raises:
        ValueError: the mask cannot be read, or is of another size than its image.
    """
    shape = entry.get("segmentation")
    if not shape:
        return None
    if isinstance(shape, Mapping):
        mask = _encoded(shape, trusted)
    elif isinstance(shape, Sequence) and not isinstance(shape, str):
        if size is None:
            raise ValueError("its polygons need `height` and `width` of their image")
        mask = _filled(shape, size)
    else:
        raise ValueError(f"its segmentation is {shape!r:.60}")
    if size is not None and tuple(mask["size"]) != tuple(size):
        raise ValueError(f"its mask is for an image of {mask['size']}, not {list(size)} pixels")
    return mask


def is_number(value: object) -> bool:
    """Whether a value is a finite number."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and math.isfinite(value)


def _encoded(shape, trusted):
    counts, size = shape.get("counts"), shape.get("size")
    sized = isinstance(size, Sequence) and len(size) == 2 and all(type(v) is int for v in size)
    if not sized or min(size) < 1 or not isinstance(counts, str | bytes | list):
        raise ValueError("its mask has no `counts` or no `size`")
    if isinstance(counts, list):
        if not all(type(v) is int and v >= 0 for v in counts) or sum(counts) != math.prod(size):
            raise ValueError("the `counts` of its mask do not add up to its `size`")
        return plain_mask(coco_mask.frPyObjects({"counts": counts, "size": size}, *size))
    if not trusted:
        _decode({"counts": counts, "size": size})
    return plain_mask(shape)


def _decode(mask):
    try:
        coco_mask.decode(mask)
    except Exception as error:  # pycocotools raises several types
        raise ValueError(f"its mask cannot be decoded ({error})") from None


def _filled(shape, size):
    """The mask of polygons x, y, x, y, …, or of one without its list."""
    polygons = shape if isinstance(shape[0], Sequence) else [shape]
    for points in polygons:
        flat = isinstance(points, Sequence) and all(map(is_number, points))
        # pycocotools takes four numbers for a box.
        if not flat or len(points) < 6 or len(points) % 2:
            raise ValueError("a polygon of its mask is not three or more points x, y")
    return plain_mask(coco_mask.merge(coco_mask.frPyObjects(list(map(list, polygons)), *size)))


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
