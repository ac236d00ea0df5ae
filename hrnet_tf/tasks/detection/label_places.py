"""Finds places for labels of boxes: they hide no other label and, if possible, no small object."""

from collections.abc import Sequence

import numpy as np

# Places of a label: (share of the box's size, share of the label's size) from the box's top left
# corner to the label's, for x and y. Above, inside, below, then beside the box.
PLACES = np.array(
    [
        [[0, 0], [0, -1]],
        [[0, 0], [0, 0]],
        [[0, 0], [1, 0]],
        [[1, -1], [0, -1]],
        [[1, -1], [1, 0]],
        [[1, 0], [0, 0]],
        [[0, -1], [0, 0]],
        [[1, -1], [0, 0]],
        [[0, 0], [1, -1]],
        [[1, 0], [1, -1]],
        [[0, -1], [1, -1]],
    ]
)
SMALL = 6  # a box of at most so many labels' area should not be hidden by labels


def place_labels(
    boxes: np.ndarray, sides: Sequence[tuple[int, int]], size: tuple[int, int]
) -> list[tuple[int, int] | None]:
    """The top left corner of each label; None if every place for it would hide another label.

    Args:
        boxes: (N, 4) x, y, width, height in pixels; the first boxes choose first.
        sides: (width, height) of each label.
        size: (width, height) of the picture; labels lie within it.
    """
    taken, corners = np.zeros((0, 4)), []
    lows, areas = boxes[:, :2], boxes[:, 2:].prod(axis=1)
    for box, side in zip(boxes, np.array(sides).reshape(-1, 2), strict=True):
        spots = box[:2] + PLACES[..., 0] * box[2:] + PLACES[..., 1] * side
        spots = np.clip(np.round(spots), 0, np.maximum(np.array(size) - side, 0))
        labels = np.concatenate([spots, spots + side], axis=1)
        free = ~(_shared(labels, taken) > 0).any(axis=1)
        if not free.any():
            corners.append(None)
            continue
        small = areas <= SMALL * side.prod()
        others = np.concatenate([lows, lows + boxes[:, 2:]], axis=1)[small]
        hidden = (_shared(labels, others) / np.maximum(areas[small], 1)).sum(axis=1)
        best = np.flatnonzero(free)[np.argmin(hidden[free])]
        taken = np.concatenate([taken, labels[best : best + 1]])
        corners.append((int(spots[best, 0]), int(spots[best, 1])))
    return corners


def _shared(rectangles, others):
    """Common area of rectangles (N, 4) and others (M, 4), given by their corners: (N, M)."""
    a, b = rectangles[:, None], others[None]
    sides = np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2])
    return sides.clip(0).prod(axis=-1)
