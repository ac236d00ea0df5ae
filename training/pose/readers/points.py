"""Reads the `keypoints` of COCO-format annotations in the forms that exporters write."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from hrnet_tf.training.data.coco_fields import numbers
from hrnet_tf.training.data.coco_json import CocoFile
from hrnet_tf.training.data.sources import Note, Report

PARTS = ("foot", "face", "lefthand", "righthand")  # COCO-WholeBody's further parts, in order
PLAIN = {int, float}


def all_keypoints(annotation: Mapping) -> list:
    """The `keypoints` of an annotation, x, y, v, …; for whole bodies those of all parts, 133.

    The parts follow in the order of `keypoints.COCO_WHOLEBODY`: body, feet, face, left hand, right
    hand. Parts marked as invalid count as unlabelled (COCO-WholeBody, Jin et al. ECCV 2020).
    """
    keypoints = annotation["keypoints"]
    if "face_kpts" not in annotation or not all(f"{part}_kpts" in annotation for part in PARTS):
        return keypoints
    joined = [*keypoints]
    for part in PARTS:
        points = annotation[f"{part}_kpts"]
        joined += points if annotation.get(f"{part}_valid", True) else [0] * len(points)
    return joined


class Points(NamedTuple):
    """The keypoints of annotations; rows of those without are 0.

    Attributes:
        found: (K, 3) x, y and visibility of each annotation; or why it has none.
        reach: the lowest and the highest coordinate of each.
        labelled: the number of labelled keypoints of each.
    """

    found: list[np.ndarray | Exception]
    reach: list[tuple[float, float]]
    labelled: list[int]


def points_of(coco: CocoFile, annotations: Sequence, names: int | None, report: Report) -> Points:
    """The keypoints of annotations.

    K is that of most annotations. Keypoints may be one list, or one for each keypoint, with or
    without visibility; then all but those at (0, 0) are labelled. A keypoint is not labelled if one
    of its numbers is null or NaN, or if all are negative.

    Args:
        coco: the file, for messages.
        annotations: entries of the file.
        names: the number of keypoints that is expected, if it is known.
        report: receives a line if the visibility is missing.

    Raises:
        ValueError: no annotation has keypoints.
    """
    flat = [_flat(entry) for entry in annotations]
    count, size = _size_of_most(coco, [each for each in flat if isinstance(each, tuple)], names)
    width = size // count
    if width == 2:
        report(
            Note(
                f"{coco.path}: `keypoints` are x and y without visibility; all but those at (0, 0) "
                "count as labelled."
            )
        )
    rows = [each[0] for each in flat if isinstance(each, tuple) and len(each[0]) == size]
    rows = iter(_converted(rows))
    found = []
    for each in flat:
        if isinstance(each, tuple):
            wrong = ValueError(f"`keypoints` has {len(each[0])} values, not {size}")
            found.append(next(rows) if len(each[0]) == size else wrong)
        else:
            found.append(each)
    return _labelled(found, count, width)


def _flat(annotation):
    """The numbers of an annotation in one list, and how many each keypoint has, if that is told."""
    if not isinstance(annotation, dict):
        return ValueError(f"it is no object but {annotation!r}")
    try:
        values = all_keypoints(annotation)
        if not isinstance(values, list):
            raise ValueError(f"`keypoints` is no list: {values!r}")
        if not values or not isinstance(values[0], list):
            return values, None
        while len(values) == 1 and isinstance(values[0], list):
            values = values[0]
        widths = {len(each) if isinstance(each, list) else None for each in values}
        if len(widths) != 1 or not widths <= {None, 2, 3}:
            raise ValueError("`keypoints` must have three numbers for each keypoint")
        (width,) = widths
        return (values, None) if width is None else ([x for each in values for x in each], width)
    except (KeyError, TypeError, ValueError) as error:
        return error


def _size_of_most(coco, flat, names):
    """The number of keypoints, and of the numbers in most lists."""
    for (size, width), _ in Counter((len(v), w) for v, w in flat).most_common():
        if size and (width or size in (2 * (names or 0), 3 * (names or 0))):
            return (size // width, size) if width else (names, size)
        if size and size % 3 == 0:
            return size // 3, size
    counts = Counter(len(values) for values, _ in flat).most_common(1)
    count = f"{counts[0][0]} numbers in most `keypoints`" if counts else "no `keypoints`"
    raise ValueError(
        "`annotations` must have `keypoints`, three numbers for each. "
        f"Received: annotations={coco.path}, with {count}. COCO's are called "
        "person_keypoints_*.json."
    )


def _converted(rows):
    """An array or an exception for each list of numbers."""
    if all(set(map(type, row)) <= PLAIN for row in rows):
        try:
            return np.array(rows, np.float64)  # many times faster than one by one
        except OverflowError:
            pass
    return [_one(row) for row in rows]


def _one(row):
    try:
        return numbers(row, "keypoints")
    except ValueError as error:
        return error


def _labelled(found, count, width):
    """The points of lists of numbers; exceptions stay."""
    good = [place for place, each in enumerate(found) if not isinstance(each, Exception)]
    reach, labelled = np.zeros((len(found), 2)), np.zeros(len(found), int)
    if not good:
        return Points(found, reach.tolist(), labelled.tolist())
    values = np.array([found[place] for place in good]).reshape(len(good), count, width)
    if width == 2:
        seen = 2.0 * (values != 0).any(axis=2, keepdims=True)
        values = np.concatenate([values, seen], axis=2)
    values[np.isnan(values).any(axis=2) | (values < 0).all(axis=2)] = 0
    flat = values[..., :2].reshape(len(good), -1)
    reach[good] = np.column_stack([flat.min(axis=1), flat.max(axis=1)])
    labelled[good] = (values[..., 2] > 0).sum(axis=1)
    endless = np.isinf(values).any(axis=(1, 2))
    for place, points, bad in zip(good, values, endless.tolist(), strict=True):
        found[place] = points
        if bad:
            found[place] = ValueError("`keypoints` has a value that is not a number but infinite")
    return Points(found, reach.tolist(), labelled.tolist())
