"""Fields of COCO's entries: whatever has one meaning is read, the rest raises a sentence."""

from collections.abc import Mapping

import numpy as np

# Numbers that are further from 0 than this are no positions in an image.
FARTHEST = 1e6


def identity(value: object) -> int | str:
    """An id that can be compared: "7" and 7.0 are 7, and all that is no whole number is text."""
    if type(value) is int:
        return value
    if isinstance(value, float) and value.is_integer():
        return int(value)
    text = str(value)
    whole = text.removeprefix("-").isdecimal() and len(text) < 20 and str(int(text)) == text
    return int(text) if whole else text


def annotated_box(annotation: Mapping, empty: bool = False) -> np.ndarray:
    """The box (4,) of an annotation: x, y, width and height in pixels, not compared with its image.

    Args:
        annotation: the entry.
        empty: whether a box may have sides of 0.

    Raises:
        KeyError: there is no box; null, [] and four zeros are none.
        TypeError, ValueError: it is not four numbers, or it is empty.
    """
    values = annotation["bbox"]
    if values is None or values in ([], [0, 0, 0, 0]):
        raise KeyError("bbox")
    if not isinstance(values, list) or len(values) != 4:
        raise ValueError(f"its `bbox` is {values!r:.80}, not four numbers")
    box = numbers(values, "bbox")
    x, y, width, height = box.tolist()
    if not (abs(x) < FARTHEST and abs(y) < FARTHEST and width < FARTHEST and height < FARTHEST):
        raise ValueError(f"its `bbox` is {values!r:.80}, not four numbers within an image")
    if min(width, height) < 0 or (not empty and min(width, height) == 0):
        raise ValueError(f"its `bbox` is empty: {values}")
    return box


def annotated_area(annotation: Mapping) -> float | None:
    """The area of an annotation in square pixels; None if it is missing or null.

    Raises:
        ValueError: it is no number, or a negative one.
    """
    value = annotation.get("area")
    if value is None:
        return None
    area = number(value, "area")
    if not 0 <= area < np.inf:
        raise ValueError(f"its area is {area}: `area`")
    return area


def is_crowd(annotation: Mapping, field: str = "iscrowd") -> bool:
    """Whether an annotation is of a crowd; a missing or null `iscrowd` is 0.

    Raises:
        ValueError: `iscrowd` is neither 0 nor 1.
    """
    crowd = annotation.get(field)
    if crowd is None or crowd in (0, "0"):
        return False
    if crowd in (1, "1"):
        return True
    raise ValueError(f"`{field}` must be 0 or 1, and is {crowd!r:.80}")


def image_size(entry: Mapping) -> tuple[int, int] | None:
    """Height and width of an entry for an image; None if one is missing or 0.

    Raises:
        ValueError: one is no number, or none that an image can have.
    """
    sides = []
    for field in ("height", "width"):
        value = entry.get(field)
        side = number(value, field) if value is not None else 0
        if not 0 <= side < FARTHEST:
            raise ValueError(f"`{field}` is {value}")
        sides.append(int(side))
    return tuple(sides) if min(sides) else None


def numbers(values: list, field: str) -> np.ndarray:
    """A list of numbers as float64; null becomes NaN, and numbers in quotes are numbers.

    Raises:
        ValueError: an entry is no number, such as true.
    """
    kinds = set(map(type, values))
    if not kinds <= {int, float}:
        if not kinds <= {int, float, str, type(None)}:
            other = next(each for each in values if type(each) not in (int, float, str, type(None)))
            raise ValueError(f"`{field}` has {other!r:.80}, which is not a number")
        values = [np.nan if value is None else value for value in values]
    try:
        return np.array(values, np.float64)
    except (ValueError, OverflowError) as error:
        raise ValueError(f"`{field}` has a value that is not a number ({error})") from None


def number(value: object, field: str) -> float:
    """A number, which may be in quotes, as a float; raises ValueError if it is none."""
    try:
        return float(value if type(value) in (int, float) else numbers([value], field)[0])
    except OverflowError:
        raise ValueError(f"`{field}` is too large a number") from None
