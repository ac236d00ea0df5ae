"""Draws heat maps over their crops."""

import numpy as np
from PIL import Image


def overlay(crop: np.ndarray, heat: np.ndarray, aligned: bool) -> np.ndarray:
    """Draws a heat map over a darkened crop, aligned as the codec aligns them.

    Colours have absolute values: red is 1/3, yellow 2/3, white 1.

    Args:
        crop: (H, W, 3) uint8 RGB.
        heat: (h, w), from 0 to 1.
        aligned: the codec's `aligned`: whether the centres of the corner pixels of crop and map
            coincide; otherwise a map pixel is H / h crop pixels wide.

    Returns:
        (H, W, 3) uint8.
    """
    size, small = crop.shape[1::-1], heat.shape[::-1]
    steps = [(s - aligned) / (b - aligned) for s, b in zip(small, size, strict=True)]
    # Pillow's coordinates start at the corner of the first pixel, a codec's at its centre.
    (a, b), (x, y) = steps, [0.5 - 0.5 * step for step in steps]
    heat = Image.fromarray(np.float32(heat)).transform(
        size, Image.Transform.AFFINE, (a, 0, x, 0, b, y), Image.Resampling.BILINEAR
    )
    heat = np.clip(np.asarray(heat), 0, 1)[..., None]
    colors = np.clip(3 * heat - np.arange(3), 0, 1) * 255
    alpha = np.clip(3 * heat, 0, 1)
    return np.uint8(0.45 * crop * (1 - alpha) + colors * alpha)
