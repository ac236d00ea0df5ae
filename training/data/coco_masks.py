"""The pixels of COCO's annotated regions: polygons and run lengths."""

from collections.abc import Mapping, Sequence

import numpy as np
from pycocotools import mask as coco


def region(segmentation: Sequence | Mapping, size: tuple[int, int]) -> np.ndarray:
    """The pixels of an annotation, by pycocotools.

    Args:
        segmentation: the annotation's `segmentation`: polygons [[x1, y1, x2, y2, …], …], whose
            union it is, or run lengths {"size": [height, width], "counts": … }, compressed or not.
        size: height and width of the image.

    Returns:
        (height, width) bool.

    Raises:
        ValueError: it is neither, or of another size.
    """
    height, width = size
    if isinstance(segmentation, Mapping):
        return _from_runs(segmentation, height, width)
    if not isinstance(segmentation, Sequence) or not len(segmentation):
        raise ValueError("its `segmentation` is empty")
    for polygon in segmentation:
        points = np.asarray(polygon)
        numbers = points.ndim == 1 and points.dtype.kind in "if" and np.isfinite(points).all()
        # Far corners would be followed in steps of a fifth of a pixel, for gigabytes.
        near = numbers and (np.abs(points) <= 4 * (height + width)).all()
        if not near or points.size < 6 or points.size % 2:
            raise ValueError(
                "its `segmentation` must be polygons of three points or more near the image"
            )
    return coco.decode(coco.merge(coco.frPyObjects(list(segmentation), height, width))) > 0


def _from_runs(runs, height, width):
    counts, size = runs.get("counts"), runs.get("size")
    if size != [height, width]:
        raise ValueError(f"its run lengths are of size {size}, the image of {[height, width]}")
    if isinstance(counts, str):
        packed = {"size": size, "counts": counts.encode()}
    elif (
        not isinstance(counts, list)
        or any(type(n) is not int or n < 0 for n in counts)
        or sum(counts) != height * width
    ):
        raise ValueError("its run lengths do not add up to the image")
    else:
        packed = coco.frPyObjects({"size": size, "counts": counts}, height, width)
    return coco.decode(packed) > 0
