"""Drawn pictures with the detail of a photo, for benchmarks that have no photos."""

import numpy as np
from PIL import Image


def noise(rng: np.random.Generator, size: tuple[int, int]) -> Image.Image:
    """Noise at several scales, of a size (width, height)."""
    scales = [rng.integers(0, 255, (n, n, 3), dtype=np.uint8) for n in (4, 32, 256)]
    layers = [np.float32(Image.fromarray(each).resize(size, Image.BICUBIC)) for each in scales]
    return Image.fromarray(np.uint8(np.average(layers, axis=0, weights=(4, 2, 1))))
