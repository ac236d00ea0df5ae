"""RoIAlign in `keras.ops` alone: regions of a feature pyramid as maps of one size.

He et al. ICCV 2017; mmcv's `roi_align` and mmdetection's `SingleRoIExtractor`, and for boxes of
mmdetection 1 the older kernel. A bin of a region is the mean of a grid of bilinear samples. Weights
of rows and of columns are separable, so a region is a small window of its map, multiplied by two
matrices.
"""

import numpy as np
from keras import ops

from hrnet_tf.names import check_choice
from hrnet_tf.networks.blocks import extent

FINEST = 56  # regions of up to twice this side, in pixels, belong to the finest map
# How a box lies on the cells: the shift of its corners in cells, what is added to x2 and y2 in
# pixels, and the shortest side in cells. mmdetection 2 and 3; 1; maskrcnn-benchmark.
GEOMETRIES = {
    "continuous": (0.5, 0.0, 0.0),
    "inclusive": (0.0, 1.0, 0.0),
    "unaligned": (0.0, 0.0, 1.0),
}


def levels_of(boxes, count: int, inclusive: bool = False):
    """The index of each region's map, 0 for the finest: floor(log2(side / 56)) within 0..count-1.

    Args:
        boxes: (N, 4) x1, y1, x2, y2 in pixels.
        count: number of maps; the stride of each is twice that of the one before.
        inclusive: whether a box from x1 to x2 has the width x2 - x1 + 1.

    Returns:
        (N,) int32. A side of 112, 224, 448 pixels belongs to the coarser map.
    """
    width, height = boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]
    if inclusive:
        width, height = width + 1.0, height + 1.0
    side = ops.sqrt(ops.maximum(width * height, 0.0)) / FINEST + 1e-6
    reached = ops.expand_dims(side, 1) >= np.float32(2.0 ** np.arange(1, count))
    return ops.sum(ops.cast(reached, "int32"), axis=1)


def roi_align(
    maps,
    boxes,
    size: int | tuple[int, int],
    strides,
    samples=4,
    ratio: int = 0,
    geometry: str = "continuous",
    exact: bool = False,
):
    """Pools regions, each from its own map.

    Every bin is the mean of n x m bilinear samples. With `ratio` 0, n and m are the height and
    width of the bin in cells, rounded up, for each region. A side of up to `samples` x size cells
    is exact; a longer one takes samples // 2 samples per bin instead, so that all regions gather
    windows of one size.

    Args:
        maps: (B, h, w, C) each, finest first.
        boxes: (B, R, 4) x1, y1, x2, y2 in pixels of the image. Empty or reversed ones give 0.
        size: (height, width) of the result in bins, or one number for both.
        strides: pixels per cell of each map.
        samples: with `ratio` 0, the longest side that is exact, in cells per bin; one number, or
            two for height and width. At least 2.
        ratio: a fixed number of samples per bin and axis instead.
        geometry: a key of `GEOMETRIES`.
        exact: whether no side is longer than `samples` allows. `samples` may then be tensors.

    Returns:
        (B * R, height, width, C) in the type of the maps. Samples more than a cell outside the map
        are 0; they count in the mean.
    """
    check_choice("geometry", geometry, GEOMETRIES)
    bins = (size, size) if isinstance(size, int) else size
    most = samples if isinstance(samples, tuple) else (samples, samples)
    start, side, extents, offset = _regions(maps, boxes, strides, geometry)
    (y, weights_y), (x, weights_x) = (
        _fixed(start[i], side[i], extents[i], bins[i], ratio)
        if ratio
        else _adaptive(start[i], side[i], extents[i], bins[i], (most[i], exact))
        for i in (0, 1)
    )
    # Subtracted: Keras would compute the sum of one region's column and row as `bias_add`.
    cells = ops.subtract(ops.expand_dims(offset + y * extents[1], 2), ops.expand_dims(-x, 1))
    table = ops.concatenate([ops.reshape(each, (-1, each.shape[-1])) for each in maps], axis=0)
    window = ops.take(table, cells, axis=0)  # (N, P, Q, C)
    weights_y, weights_x = (ops.cast(each, window.dtype) for each in (weights_y, weights_x))
    lines = ops.einsum("nip,npqc->niqc", weights_y, window)
    return ops.einsum("njq,niqc->nijc", weights_x, lines)


def _regions(maps, boxes, strides, geometry):
    """Where regions lie: for y and x, their start, side and map's extent in cells; and its row.

    Returns:
        Three pairs for y and x of (N, 1) arrays, and (N, 1) int32, the place of the map's first
        cell among the cells of all maps.
    """
    shift, more, least = GEOMETRIES[geometry]
    flat = ops.reshape(ops.cast(boxes, "float32"), (-1, 4))
    level = levels_of(flat, len(maps), geometry == "inclusive")
    scale = 1.0 / _chosen(strides, level, "float32")
    x1, y1, x2, y2 = (flat[:, i : i + 1] for i in range(4))
    start = [low * scale - shift for low in (y1, x1)]
    ends = [(high + more) * scale - shift for high in (y2, x2)]
    side = [ops.maximum(b - a, least) for a, b in zip(start, ends, strict=True)]
    heights, widths = ([extent(x, axis) for x in maps] for axis in (1, 2))
    firsts = [0]
    for x, height, width in zip(maps, heights, widths, strict=True):
        firsts.append(firsts[-1] + extent(x, 0) * height * width)
    *extents, first = (_chosen(each, level) for each in (heights, widths, firsts[:-1]))
    image = ops.cumsum(ops.ones_like(boxes[:, :, 0], dtype="int32"), axis=0) - 1
    return start, side, extents, first + ops.reshape(image, (-1, 1)) * extents[0] * extents[1]


def _chosen(values, level, dtype="int32"):
    """The value of each region's level, (N, 1)."""
    if all(isinstance(each, int) for each in values):
        values = np.array(values, dtype)
    else:
        values = ops.stack([ops.cast(each, dtype) for each in values])
    return ops.expand_dims(ops.take(values, level), 1)


def _samples(start, side, count, bins, most, cells):
    """Places of the samples in cells, within the map, and their shares of their bins' means.

    Both are (N, bins, most), of which the first `count` of each bin count, (N, 1) or a number.
    """
    step = _steps(most)
    start, size, cells = (ops.expand_dims(x, 2) for x in (start, side / bins, cells))
    count = count if isinstance(count, float) else ops.expand_dims(count, 2)
    within = size * -(step + 0.5) / ops.maximum(count, 1.0)
    y = ops.subtract(start + size * _steps(bins)[:, None], within)  # see `roi_align`
    inside = ops.logical_and(y >= -1.0, y <= ops.cast(cells, "float32"))
    share = ops.cast(ops.logical_and(inside, count > step), "float32")
    last = ops.cast(cells - 1, "float32")
    return ops.maximum(ops.minimum(y, last), 0.0), share / ops.maximum(count, 1.0)


def _steps(count):
    """0, 1, … below `count`, which may be a tensor, as float32."""
    if isinstance(count, int):
        return np.arange(count, dtype="float32")
    return ops.cast(ops.arange(count), "float32")


def _fixed(start, side, cells, bins, ratio):
    """As `_adaptive`, with `ratio` samples in each bin: the two rows around every sample."""
    y, share = _samples(start, side, float(ratio), bins, ratio, cells)
    low = ops.floor(y)
    count = 2 * bins * ratio
    rows = ops.reshape(ops.stack([low, low + 1.0], axis=-1), (-1, count))
    weights = ops.stack([(1.0 - (y - low)) * share, (y - low) * share], axis=-1)
    own = np.repeat(np.eye(bins, dtype="float32"), 2 * ratio, axis=1)
    return _within(rows, cells), ops.reshape(weights, (-1, 1, count)) * own


def _within(rows, cells):
    """Rows as integers of the map, also those of boxes that are not numbers."""
    return ops.maximum(ops.minimum(ops.cast(rows, "int32"), cells - 1), 0)


def _adaptive(start, side, cells, bins, limit):
    """The rows (or columns) that the bins of regions are made of, and their weights in each bin.

    Args:
        start: (N, 1) in cells.
        side: (N, 1) in cells.
        cells: (N, 1) extent of the map.
        bins: their number.
        limit: `samples` and `exact` of `roi_align`.

    Returns:
        (N, P) int32 within the map, and (N, bins, P) float32. They are consecutive rows, or where a
        side is too long, the two rows around every sample.
    """
    most, exact = limit
    wanted = ops.ceil(side / bins)
    y, share = _samples(start, side, wanted, bins, most, cells)
    count = most * bins + 2
    rows = ops.floor(y[:, 0, :1]) + _steps(count)
    distance = ops.abs(ops.expand_dims(y, 3) - ops.expand_dims(ops.expand_dims(rows, 1), 1))
    weights = ops.sum(ops.expand_dims(share, 3) * ops.maximum(1.0 - distance, 0.0), axis=2)
    rows = _within(rows, cells)
    if exact:
        return rows, weights
    far, sparse = _fixed(start, side, cells, bins, most // 2)
    more = count - 2 * bins * (most // 2)
    far, sparse = ops.pad(far, ((0, 0), (0, more))), ops.pad(sparse, ((0, 0), (0, 0), (0, more)))
    fits = wanted <= most
    return ops.where(fits, rows, far), ops.where(ops.expand_dims(fits, 2), weights, sparse)
