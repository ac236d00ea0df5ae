"""Draws pictures of one shape each, to try classification without a download.

The shape is the class. Colours, sizes, turns and backgrounds say nothing about it.
"""

import math
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from hrnet_tf.files import whole_folder
from hrnet_tf.training.data.synthetic.figures import CLOTHES, SUPERSAMPLE, rgb
from hrnet_tf.training.data.synthetic.scenes import JPEG_QUALITY, SCENERY


def _regular(corners: int, inner: float = 1.0) -> np.ndarray:
    """Corners (N, 2) of a regular polygon, or of a star whose every second corner is nearer."""
    radii = np.where(np.arange(corners) % 2, inner, 1.0)
    angles = 2 * math.pi * np.arange(corners) / corners
    return np.column_stack((np.sin(angles), -np.cos(angles))) * radii[:, None]


CONTRAST = 150  # least difference between shape and background, red, green and blue together
ARM = 0.33
CROSS = np.array(
    [(-ARM, -1), (ARM, -1), (ARM, -ARM), (1, -ARM), (1, ARM), (ARM, ARM), (ARM, 1), (-ARM, 1),
     (-ARM, ARM), (-1, ARM), (-1, -ARM), (-ARM, -ARM)]
)  # fmt: skip
ARROW = np.array([(0, -1), (0.8, 0), (0.3, 0), (0.3, 1), (-0.3, 1), (-0.3, 0), (-0.8, 0)])
MOON = np.concatenate(
    [
        [(math.cos(a), math.sin(a)) for a in np.linspace(0.3 * math.pi, 1.7 * math.pi, 24)],
        [(0.45 + 0.75 * math.cos(a), 0.75 * math.sin(a)) for a in np.linspace(5.0, 1.28, 24)],
    ]
)
SHAPES = {
    "arrow": ARROW,
    "circle": _regular(48),
    "cross": CROSS,
    "moon": MOON,
    "square": _regular(4),
    "star": _regular(10, 0.45),
    "triangle": _regular(3),
}


def draw_shape(rng: np.random.Generator, name: str, size: tuple[int, int] = (96, 96)) -> np.ndarray:
    """A picture (H, W, 3) uint8 of a shape of `SHAPES` on a background; it may be cut off."""
    height, width = size[0] * SUPERSAMPLE, size[1] * SUPERSAMPLE
    sky, paint, edge = (np.array(rgb(each)) for each in rng.choice(SCENERY + CLOTHES, 3, False))
    if np.abs(sky - paint).sum() < CONTRAST:
        paint = 255 - sky
    shade = np.linspace(rng.uniform(0.7, 1), rng.uniform(0.7, 1), height // SUPERSAMPLE)
    grain = rng.normal(0, rng.uniform(1, 5), (*size, 1))
    pixels = (sky * shade[:, None, None] + grain).clip(0, 255).astype(np.uint8)
    image = Image.fromarray(pixels).resize((width, height), Image.Resampling.NEAREST)
    radius = rng.uniform(0.26, 0.42) * min(image.size)
    center = np.array(image.size) * rng.uniform(0.42, 0.58, 2)
    turn = rng.uniform(-0.3, 0.3)
    matrix = np.array(((math.cos(turn), math.sin(turn)), (-math.sin(turn), math.cos(turn))))
    points = [tuple(point) for point in center + radius * SHAPES[name] @ matrix]
    pen = ImageDraw.Draw(image)
    pen.polygon(points, fill=tuple(paint.tolist()))
    pen.line([*points, points[0]], fill=tuple(edge.tolist()), width=SUPERSAMPLE, joint="curve")
    return np.asarray(image.reduce(SUPERSAMPLE))


def write_shapes(
    folder: str | Path, num_images: int, seed: int, size: tuple[int, int] = (96, 96)
) -> Path:
    """Writes pictures as JPEG, a folder for each shape; returns the folder of these folders.

    The same arguments give the same bytes. The folder appears only when it is complete.

    Raises:
        FileExistsError: `folder` is already there and not empty.
    """
    names = list(SHAPES)
    with whole_folder(folder) as part:
        for name in names:
            (part / name).mkdir()
        for number in range(num_images):
            name = names[number % len(names)]
            image = draw_shape(np.random.default_rng((seed, number)), name, size)
            path = part / name / f"{number:06d}.jpg"
            Image.fromarray(image).save(path, quality=JPEG_QUALITY)
    return Path(folder)
