"""Gaussian target maps, drawn as products of one bump per row and one per column."""

import math

import numpy as np
from keras import ops


def gaussian_maps(peaks, visible, size: tuple[int, int], sigma: float, patch_centers=None):
    """One Gaussian of height 1 per keypoint.

    Args:
        peaks: (B, K, 2) in heatmap pixels, where the Gaussian has its maximum.
        visible: (B, K), 0 or 1; an invisible keypoint gives an empty map.
        size: (height, width) of the maps.
        sigma: Standard deviation in heatmap pixels.
        patch_centers: (B, K, 2), the centre of the patch of +-3 sigma outside of which the map is
            0; None fills the whole map.

    Returns:
        Maps (B, height, width, K) and weights (B, K): `visible`, and 0 where the patch misses the
        map. A patch that ends just before column or row 0 keeps its weight, as in the original.
    """
    centers = peaks if patch_centers is None else patch_centers
    visible = ops.cast(visible, "float32")
    reach = 3 * sigma
    inside = (centers - reach < np.array(size[::-1], "float32")) & (centers + reach + 1 >= 0)
    weights = visible * ops.cast(ops.all(inside, axis=-1), "float32")

    def bumps(axis: int, length: int):
        position = np.arange(length, dtype="float32")[:, None]
        bump = ops.exp(-((position - peaks[:, None, :, axis]) ** 2) / (2 * sigma**2))
        if patch_centers is None:
            return bump
        return ops.where(ops.abs(position - centers[:, None, :, axis]) <= reach, bump, 0.0)

    rows = bumps(1, size[0]) * ops.cast(weights > 0.5, "float32")[:, None]
    return rows[:, :, None] * bumps(0, size[1])[:, None], weights


def patch_maps(cells, visible, size: tuple[int, int], sigma: float):
    """`gaussian_maps` around whole pixels, as the original implementations draw them.

    They truncate the corners of the patch to whole pixels. For sigma 1.5 the patch reaches five
    pixels to the left and up, and four to the right and down; if it begins outside the map, its
    maximum moves one pixel to the right or down. If 3 sigma is whole, nothing is truncated.

    Args:
        cells: (B, K, 2), whole numbers, in heatmap pixels.
        visible: As in `gaussian_maps`.
        size: (height, width) of the maps.
        sigma: Standard deviation in heatmap pixels.
    """
    reach = 3 * sigma
    peaks = ops.trunc(cells - reach) + math.floor(reach + 0.5)
    return gaussian_maps(peaks, visible, size, sigma, patch_centers=cells - reach % 1)
