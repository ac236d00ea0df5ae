"""Heat maps over the crops that they belong to."""

import numpy as np
from PIL import Image


def overlay(crop: np.ndarray, heat: np.ndarray, aligned: bool) -> np.ndarray:
    """A darkened crop under a heat map, each pixel of which lies where the codec has it.

    Heat is absolute: red is a third, yellow two thirds, white 1.

    Args:
        crop: (H, W, 3) uint8 RGB.
        heat: (h, w), from 0 to 1.
        aligned: of the codec: whether the corners of crop and map are the centres of their first
            and last pixels, or H is h times the stride.

    Returns:
        (H, W, 3) uint8.
    """
    size, small = crop.shape[1::-1], heat.shape[::-1]
    steps = [(s - aligned) / (b - aligned) for s, b in zip(small, size, strict=True)]
    # Pillow counts from the corners of pixels, codecs from the centre of the first.
    (a, b), (x, y) = steps, [0.5 - 0.5 * step for step in steps]
    heat = Image.fromarray(np.float32(heat)).transform(
        size, Image.Transform.AFFINE, (a, 0, x, 0, b, y), Image.Resampling.BILINEAR
    )
    heat = np.clip(np.asarray(heat), 0, 1)[..., None]
    colors = np.clip(3 * heat - np.arange(3), 0, 1) * 255
    alpha = np.clip(3 * heat, 0, 1)
    return np.uint8(0.45 * crop * (1 - alpha) + colors * alpha)
