"""Pictures for a look inside: what the network saw of a person, and its heat maps."""

import math

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from hrnet_tf.tasks.pose.card import PoseCard
from hrnet_tf.tasks.pose.predictor import Pose

WIDEST = 2400  # pixels of a montage
PAPER, INK, RING = (24, 24, 28), (235, 235, 235), (90, 200, 255)


def crop_picture(pose: Pose, card: PoseCard) -> Image.Image:
    """The crop as the network saw it."""
    return Image.fromarray(pose.inside.crop)


def heatmap_picture(pose: Pose, card: PoseCard) -> Image.Image:
    """A montage: for each keypoint its heat map over the darkened crop, name and score.

    Heat is absolute: red is a third, yellow two thirds, white 1. A ring marks the keypoint.

    Args:
        pose: of a predictor with `inside=True`.
        card: of the network.
    """
    inside, count = pose.inside, len(pose.scores)
    height, width, _ = inside.crop.shape
    columns = min(count, math.ceil(math.sqrt(1.5 * count * height / width)))
    zoom = min(1.0, WIDEST / (columns * width))
    strip = round(max(9, 0.075 * height * zoom))
    tile = round(width * zoom), round(height * zoom) + strip
    picture = Image.new("RGB", (columns * tile[0], -(-count // columns) * tile[1]), PAPER)
    canvas, font = ImageDraw.Draw(picture), ImageFont.load_default(0.8 * strip)
    for index, (name, score) in enumerate(zip(card.keypoints.names, pose.scores, strict=True)):
        left, top = index % columns * tile[0], index // columns * tile[1]
        heated = _heated(inside.crop, inside.heatmaps[..., index], card.codec.aligned)
        heated = Image.fromarray(heated).resize((tile[0], tile[1] - strip))
        picture.paste(heated, (left, top + strip))
        canvas.text((left + 2, top + strip / 2), f"{score:.2f} {name}", INK, font, "lm")
        x, y = (inside.keypoints[index] + 0.5) * zoom + (left, top + strip)
        radius = max(3, 0.015 * tile[1])
        canvas.ellipse([x - radius, y - radius, x + radius, y + radius], None, RING)
    return picture


def _heated(crop, heat, aligned):
    """(H, W, 3) uint8: heat (h, w) over the crop, each pixel where the codec has it."""
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
