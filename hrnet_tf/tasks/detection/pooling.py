"""Pools the regions of an image fast and exactly, beside the network.

The network's own RoIAlign gathers windows of one size for all regions. Here, regions are grouped by
map and by the size of window that they need. This is exact for any box, and memory is bounded.
"""

import functools
import math
from collections.abc import Sequence

import keras
import numpy as np
from keras import ops

from hrnet_tf.networks.heads.roi import levels_of, roi_align

WINDOW_BYTES = 2**26  # of the windows that are gathered at once
# Longest sides of the groups in cells per bin; longer ones are doubled.
GROUPS = (2, 3, 4, 6, 8, 12, 16)


def pool(
    maps: Sequence,
    boxes: np.ndarray,
    size: int,
    strides: Sequence[int],
    geometry: str = "continuous",
) -> np.ndarray:
    """RoIAlign of one image, as the network's `roi_align`; each region from its own map.

    With TensorFlow it is compiled once for each `size`, for all images, strides and boxes.

    Args:
        maps: (h, w, C) each, finest first.
        boxes: (R, 4) x1, y1, x2, y2 in pixels of the image.
        size: height and width of the result in bins.
        strides: pixels per cell of each map.
        geometry: of the card: "continuous" takes as many samples per bin as it has cells,
            "inclusive" two per axis, as mmdetection 1.

    Returns:
        (R, size, size, C) float32.
    """
    boxes = np.asarray(boxes, np.float32).reshape(-1, 4)
    inclusive = geometry == "inclusive"
    level = ops.convert_to_numpy(levels_of(boxes, len(maps), inclusive))
    pooled = np.empty((len(boxes), size, size, maps[0].shape[-1]), np.float32)
    call = _function(size, geometry, pooled.shape[-1])
    for index in np.unique(level):
        own = np.flatnonzero(level == index)
        stride = strides[index]
        image = ops.expand_dims(ops.convert_to_tensor(maps[index], "float32"), 0)
        for rows, samples in _groups(boxes[own], size, stride, inclusive):
            for chunk in _chunks(own[rows], samples, size, maps[index].shape[-1]):
                found = call(image, _filled(boxes[chunk])[None], stride, *samples)
                pooled[chunk] = ops.convert_to_numpy(found)[: len(chunk)]
    return pooled


def _filled(boxes):
    """Boxes with empty ones behind them, to a power of two, for backends that compile by shape."""
    if keras.backend.backend() == "tensorflow":
        return boxes
    missing = 2 ** math.ceil(math.log2(len(boxes))) - len(boxes)
    return np.pad(boxes, ((0, missing), (0, 0)))


def _groups(boxes, size, stride, inclusive):
    """Indices of regions, and the samples for height and width that suffice for all of them."""
    if inclusive:
        return [(np.arange(len(boxes)), (4, 4))]
    with np.errstate(invalid="ignore", over="ignore"):
        sides = (boxes[:, 3:1:-1] - boxes[:, 1::-1]) / (stride * size)
    sides = np.nan_to_num(sides, nan=0.0, posinf=0.0).clip(0, 2.0**20)
    limits = np.array([*GROUPS, *(2.0 ** np.arange(5, 21))])
    found = limits[np.searchsorted(limits, np.ceil(sides + 1e-3))].astype(np.int32)
    kinds, which = np.unique(found, axis=0, return_inverse=True)
    which = which.reshape(-1)
    return [(np.flatnonzero(which == i), tuple(map(int, kind))) for i, kind in enumerate(kinds)]


def _chunks(rows, samples, size, channels):
    height, width = (each * size + 2 for each in samples)
    count = max(1, WINDOW_BYTES // (4 * height * width * channels))
    return [rows[i : i + count] for i in range(0, len(rows), count)]


@functools.cache
def _function(size, geometry, channels):
    """RoIAlign from one map, compiled once for all sizes of maps, boxes and windows."""
    ratio = 2 if geometry == "inclusive" else 0

    def align(image, boxes, stride, *samples):
        return roi_align([image], boxes, size, (stride,), samples, ratio, geometry, exact=True)

    if keras.backend.backend() == "jax":
        import jax

        return jax.jit(align, static_argnums=(2, 3, 4))
    if keras.backend.backend() != "tensorflow":
        return align
    import tensorflow as tf  # Keras has imported it already

    arrays = [tf.TensorSpec((1, None, None, channels)), tf.TensorSpec((1, None, 4))]
    numbers = [tf.TensorSpec((), tf.int32)] * 3
    return tf.function(align, input_signature=[*arrays, *numbers], autograph=False)
