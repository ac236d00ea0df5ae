"""The entries of a file of boxes: their ids, numbers, and what is wrong with them."""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

Id = int | str
Note = Callable[[str], None]
FARTHEST = 1e6  # numbers that are further from 0 are no positions in an image
MARGIN = 0.1  # of the longer side, on each side of a box that is made around keypoints
FEW, SURE, MOST = 5, 10, 0.9  # boxes that a suspicion needs; without sizes; their share


class Reasons:
    """Collects why entries of a file cannot be used, for a line for each reason."""

    def __init__(self, path: Path, kind: str, note: Note):
        self.path, self.kind, self.note = path, kind, note
        self.found, self.count, self.first = {}, 0, ""

    def add(self, index: int, error: Exception) -> None:
        """Notes the reason of an entry."""
        reason = f"it has no {error}" if isinstance(error, KeyError) else str(error)
        self.found.setdefault(reason, []).append(index)
        self.first = self.first or f"{self.kind} {index}: {reason}"
        self.count += 1

    def report(self) -> None:
        """Gives `note` a line for each reason."""
        for reason, (first, *more) in self.found.items():
            which = f"{self.kind} {first} is" if not more else f"{len(more) + 1} are"
            which += f" (the first: {self.kind} {first})" if more else ""
            self.note(" ".join(f"{self.path}: {which} left out: {reason}.".split()))


def identity(value: object) -> object:
    """An id that is a whole number in another form, such as "7", as an integer."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    whole = isinstance(value, str) and value.isdecimal() and len(value) < 20
    return int(value) if whole and str(int(value)) == value else value


def is_id(value: object) -> bool:
    """Whether a value can be an id; None is no id given."""
    return value is None or isinstance(value, int | str)


def box_of(entry: object) -> tuple[Id, tuple, float]:
    """Image id, (x, y, width, height) and score of an entry; raises an error that says why not."""
    if not isinstance(entry, dict):
        raise ValueError(f"it is {str(entry)[:40]!r}, not an object")
    image_id, box = identity(entry["image_id"]), entry.get("bbox")
    if not is_id(image_id) or image_id is None or not is_id(identity(entry.get("category_id"))):
        raise ValueError("its `image_id` or `category_id` is neither a number nor a text")
    if box in (None, [], [0, 0, 0, 0]):
        box = _around(entry.get("keypoints"))
    if not isinstance(box, list) or len(box) != 4:
        raise ValueError("its `bbox` is not four numbers, [x, y, width, height]")
    box = tuple(_number(each, "bbox") for each in box)
    score = entry.get("score")
    return image_id, box, 1.0 if score is None else _number(score, "score")


def _number(value, name):
    try:
        number = float("nan" if isinstance(value, bool) else value)
    except (TypeError, ValueError, OverflowError):
        number = float("nan")
    if not abs(number) < FARTHEST:
        raise ValueError(f"its `{name}` has a value that is no number within an image")
    return number


def _around(keypoints):
    """A box around labelled keypoints, enlarged as training does it."""
    try:
        points = np.array(keypoints, np.float64).reshape(-1, 3)
    except (TypeError, ValueError):
        raise ValueError("it has no `bbox`") from None
    points = points[(points[:, 2] > 0) & np.isfinite(points).all(axis=1), :2]
    low, high = (points.min(axis=0), points.max(axis=0)) if len(points) else (0, np.zeros(2))
    margin = MARGIN * np.max(high - low)
    if not margin:
        raise ValueError("it has no `bbox`, and no two labelled keypoints give one")
    return [*(low - margin).tolist(), *(high - low + 2 * margin).tolist()]


def suspect(path: Path, boxes: Mapping, sizes: Mapping, note: Note) -> None:
    """Notes a mistake that most boxes seem to share."""
    rows = [(image_id, box[:4]) for image_id, found in boxes.items() for box in found]
    found = np.array([box for _, box in rows]).reshape(-1, 4)
    if len(found) < FEW:
        return
    if np.mean((found <= 1.5).all(axis=1)) > MOST:
        note(f"{path}: `bbox` looks like shares of the image, 0 to 1; COCO's is in pixels.")
        return
    images = np.array([sizes.get(image_id, (np.inf, np.inf))[::-1] for image_id, _ in rows])
    corners = (found[:, 2:] > found[:, :2]).all(axis=1) & (found[:, 2:] <= images + 1).all(axis=1)
    beyond = (found[:, :2] + found[:, 2:] > 1.05 * images + 2).any(axis=1)
    # Without sizes nothing shows that boxes reach beyond; that all are corners does not happen.
    sure = np.mean(beyond & corners) > MOST / 2 if sizes else len(found) >= SURE
    if np.mean(corners) > (MOST if sizes else 0.99) and sure:
        note(f"{path}: `bbox` looks like left, top, right, bottom; COCO's is x, y, width, height.")
