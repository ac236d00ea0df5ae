"""The pixels of COCO's annotated regions: polygons and run lengths, for all tasks.

Whatever has one meaning is read: one polygon without its list, polygons as lists of points, numbers
in quotes, empty polygons beside others. Null, [] and [[]] are no region. What has two meanings is
refused: of four numbers pycocotools makes a box, other programs a line.
"""

from collections.abc import Mapping

import numpy as np
from pycocotools import mask as coco

from hrnet_tf.training.data.coco_fields import numbers

FAR = 4  # heights + widths of the image; pycocotools follows edges in steps of a fifth of a pixel


def encoded(segmentation: object, size: tuple[int, int] | None) -> dict | None:
    """The region of an annotation as compressed run lengths, by pycocotools.

    Args:
        segmentation: the annotation's `segmentation`: polygons [[x1, y1, x2, y2, …], …], whose
            union it is, or run lengths {"size": [height, width], "counts": … }, compressed or not.
        size: height and width of the image, if they are known; polygons need them.

    Returns:
        {"size": [height, width], "counts": text}; None if there is no region.

    Raises:
        ValueError: it is neither, lies far outside the image, or is of another size.
    """
    if isinstance(segmentation, Mapping) and segmentation:
        mask = _from_runs(segmentation)
        if size is not None and mask["size"] != list(size):
            raise ValueError(f"its `segmentation` is of {mask['size']}, its image of {list(size)}")
        return mask
    found = polygons(segmentation)
    if not found:
        return None
    if size is None:
        raise ValueError("its `segmentation` needs `height` and `width` of the image")
    limit = FAR * sum(size)
    if any(np.abs(points).max() > limit for points in found):
        raise ValueError("its `segmentation` has a point far outside its image")
    return _plain(coco.merge(coco.frPyObjects(found, *size)))


def region(segmentation: object, size: tuple[int, int]) -> np.ndarray:
    """The pixels (height, width) bool of an annotation; see `encoded`.

    Raises:
        ValueError: there is no region, or it cannot be read.
    """
    mask = encoded(segmentation, size)
    if mask is None:
        raise ValueError("its `segmentation` is empty")
    return coco.decode(mask) > 0


def area_inside(segmentation: object) -> float | None:
    """The area of a `segmentation` in square pixels, to compare with what annotations say.

    It is the sum of the polygons, so overlapping ones count twice. None if there is no region, or
    one that cannot be read.
    """
    try:
        if isinstance(segmentation, Mapping) and segmentation:
            return float(sum(_lengths_of(segmentation)[0][1::2]))
        found = polygons(segmentation)
    except ValueError:
        return None
    total = 0.0
    for points in found:
        x, y = points[::2], points[1::2]
        total += abs(np.dot(x, np.roll(y, 1)) - np.dot(y, np.roll(x, 1))) / 2
    return float(total) if found else None


def polygons(segmentation: object) -> list[np.ndarray]:
    """The polygons of a `segmentation`, (2 N,) float64 x, y, x, y, … each; none for null and [].

    Raises:
        ValueError: an entry is no polygon of three points or more.
    """
    if not segmentation:
        return []
    if not isinstance(segmentation, list):
        raise ValueError(f"its `segmentation` is {segmentation!r:.60}, not polygons or run lengths")
    lists = [isinstance(each, list) for each in segmentation]
    one = not any(lists) or (len(lists) > 2 and all(lists) and _are_points(segmentation))
    found = []
    for place, polygon in enumerate([segmentation] if one else segmentation):
        if isinstance(polygon, list) and polygon and _are_points(polygon):
            polygon = [value for point in polygon for value in point]
        is_list = isinstance(polygon, list)
        points = numbers(polygon, f"segmentation[{place}]") if is_list else np.zeros(1)
        if (points.size < 6 and points.size) or points.size % 2 or not np.isfinite(points).all():
            raise ValueError(
                "its `segmentation` must be polygons of three points or more, x and y each"
            )
        if points.size:
            found.append(points)
    return found


def _are_points(polygon):
    """Whether a list consists of pairs."""
    return all(isinstance(each, list) and len(each) == 2 for each in polygon)


def _from_runs(runs):
    """Compressed run lengths of those of an annotation."""
    lengths, packed = _lengths_of(runs)
    size = runs["size"]
    if packed is None:
        return _plain(coco.frPyObjects({"size": size, "counts": lengths}, *size))
    return _plain({"size": size, "counts": packed})


def _lengths_of(runs):
    """The checked run lengths of an annotation, and their text if that is what it has.

    Those of too short a text pycocotools would complete with whatever is in memory.
    """
    counts, size = runs.get("counts"), runs.get("size")
    sized = isinstance(size, list) and len(size) == 2 and all(type(side) is int for side in size)
    if not sized or not 0 < size[0] * size[1] < 2**31 or not isinstance(counts, str | bytes | list):
        raise ValueError("its `segmentation` has no `counts` or no `size`")
    packed = counts.encode() if isinstance(counts, str) else counts
    if isinstance(counts, list):
        packed, whole = None, all(type(length) is int and length >= 0 for length in counts)
    lengths = _lengths(packed) if packed is not None else counts if whole else [-1]
    if min(lengths, default=-1) < 0 or sum(lengths) != size[0] * size[1]:
        raise ValueError("the `counts` of its `segmentation` do not add up to its `size`")
    return lengths, packed


def _lengths(counts: bytes) -> list[int]:
    """The run lengths of a text; [-1] if it is none.

    `rleFrString` of pycocotools' maskApi: numbers in groups of five bits with a sign, each from the
    fourth on relative to the one two before it.
    """
    codes = np.frombuffer(counts, np.uint8).astype(np.int64) - 48
    ends = np.flatnonzero(codes & 32 == 0)
    if not codes.size or codes.min() < 0 or codes.max() > 63 or not ends.size:
        return [-1]
    starts = np.concatenate([[0], ends[:-1] + 1])
    widths = ends - starts + 1
    if ends[-1] != codes.size - 1 or widths.max() > 8:
        return [-1]
    place = 5 * (np.arange(codes.size) - np.repeat(starts, widths))
    values = np.add.reduceat((codes & 31) << place, starts)
    values -= np.where(codes[ends] & 16, 1 << (5 * widths), 0)
    values[2::2] = np.cumsum(values[2::2])
    values[1::2] = np.cumsum(values[1::2])
    return values.tolist()


def _plain(mask):
    """Run lengths that JSON can hold: counts as text and not as bytes."""
    return {"size": [int(side) for side in mask["size"]], "counts": mask["counts"].decode("ascii")}
