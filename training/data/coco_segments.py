"""Compares boxes and areas of annotations with the segments that they are derived from."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from hrnet_tf.training.data.coco_fields import FARTHEST
from hrnet_tf.training.data.coco_masks import area_inside, polygons

# Share by which an area may differ from that of its segment, besides half of the way around it, by
# which counts of pixels differ. Those of COCO's people are equal to nine digits.
OFF = 0.15
# Of a box with that of its segment, intersection over union. COCO's are equal; others draw boxes of
# whole people and segments of what is seen.
OVERLAP = 0.35


def contradictions(annotations: Sequence[tuple[str, Mapping, object]]) -> Iterator[str]:
    """A sentence for each field that contradicts the segments of annotations, with their number.

    Args:
        annotations: what messages call each, such as "annotation 5", the entry, and its
            `segmentation`. Fields that cannot be read are passed over, and so are crowds: COCO's
            have areas of their own.
    """
    annotations = [each for each in annotations if not each[1].get("iscrowd")]
    areas, bounds = segments([shape for _, _, shape in annotations])
    area = _array([each.get("area") for _, each, _ in annotations], _number)
    boxes = _array([each.get("bbox") for _, each, _ in annotations], _box, 4)
    low, high = boxes[:, :2], boxes[:, :2] + boxes[:, 2:]
    with np.errstate(invalid="ignore", divide="ignore"):
        around = np.nan_to_num(bounds[:, 2:] - bounds[:, :2]).sum(axis=1)
        other = np.abs(area - areas) > OFF * areas + around
        shared = np.minimum(high, bounds[:, 2:]) - np.maximum(low, bounds[:, :2])
        shared = np.maximum(shared, 0).prod(axis=1)
        union = boxes[:, 2:].prod(axis=1) + (bounds[:, 2:] - bounds[:, :2]).prod(axis=1) - shared
        elsewhere = shared < OVERLAP * union
    for field, mask in (("area", other & (areas > 0)), ("bbox", elsewhere)):
        if number := int(mask.sum()):
            first = annotations[int(mask.argmax())][0]
            yield (
                f"{number} annotations have another `{field}` than their `segmentation`; the first "
                f"is {first}"
            )


def segments(shapes: Sequence) -> tuple[np.ndarray, np.ndarray]:
    """Areas (N,) of segmentations, and their bounds (N, 4) x1, y1, x2, y2.

    Both are NaN where there is no region; run lengths have an area only.
    """
    areas, bounds = np.full(len(shapes), np.nan), np.full((len(shapes), 4), np.nan)
    rows, flat, ends = [], [], []
    for row, shape in enumerate(shapes):
        if type(shape) is list and len(shape) == 1 and _is_plain(shape[0]):
            rows.append(row)
            flat += shape[0]
            ends.append(len(flat))
        elif shape:
            areas[row], bounds[row] = _one(shape)
    if rows:
        areas[rows], bounds[rows] = _at_once(np.array(flat, np.float64), np.array(ends) // 2)
    return areas, bounds


def _is_plain(polygon):
    """Whether it is a list of small numbers, which many of are converted at once."""
    if type(polygon) is not list or len(polygon) < 6 or len(polygon) % 2:
        return False
    kinds = set(map(type, polygon))
    return kinds <= {float} or (kinds <= {int, float} and max(map(abs, polygon)) < 2**53)


def _at_once(flat, ends):
    """Areas and bounds of polygons of which each ends at a point."""
    points = flat.reshape(-1, 2)
    starts = np.concatenate([[0], ends[:-1]])
    after = np.arange(1, len(points) + 1)
    after[ends - 1] = starts
    with np.errstate(invalid="ignore", over="ignore"):
        # Relative to the first point of each polygon, so that large coordinates lose nothing.
        near = points - np.repeat(points[starts], ends - starts, axis=0)
        cross = near[:, 0] * near[after, 1] - near[:, 1] * near[after, 0]
        areas = np.abs(np.add.reduceat(cross, starts)) / 2
    bounds = np.minimum.reduceat(points, starts), np.maximum.reduceat(points, starts)
    return areas, np.concatenate(bounds, axis=1)


def _one(shape):
    nothing = np.full(4, np.nan)
    area = area_inside(shape)
    if area is None or isinstance(shape, Mapping):
        return np.nan if area is None else area, nothing
    points = np.concatenate(polygons(shape)).reshape(-1, 2)
    return area, np.concatenate([points.min(axis=0), points.max(axis=0)])


def _array(values, checked, *inner):
    """The values as an array (N, *inner); each is checked if they are not all alike."""
    try:
        found = np.array(values)
    except (ValueError, OverflowError):
        found = np.zeros(0, object)
    alike = found.dtype.kind in "if" and found.shape == (len(values), *inner)
    if not alike or not (np.abs(found) < FARTHEST).all():
        found = np.array(list(map(checked, values)), np.float64).reshape(-1, *inner)
    return found


def _number(value):
    return value if type(value) in (int, float) and abs(value) < FARTHEST else np.nan


def _box(values):
    if type(values) is not list or len(values) != 4:
        return [np.nan] * 4
    return list(map(_number, values))
