"""Pictures of the network's input for a person, and of its heat maps."""

import math

from PIL import Image, ImageDraw, ImageFont

from hrnet_tf.cards.pose import PoseCard
from hrnet_tf.tasks.pose.heat import overlay
from hrnet_tf.tasks.pose.predictor import Pose

WIDEST = 2400  # largest width of a montage, in pixels
PAPER, INK, RING = (24, 24, 28), (235, 235, 235), (90, 200, 255)


def crop_picture(pose: Pose, card: PoseCard) -> Image.Image:
    """The crop as the network saw it."""
    return Image.fromarray(pose.inside.crop)


def heatmap_picture(pose: Pose, card: PoseCard) -> Image.Image:
    """A montage: for each keypoint its heat map over the darkened crop, name and score.

    A ring marks the keypoint; see `heat.overlay` for the colours.

    Args:
        pose: a pose from a predictor with `inside=True`.
        card: the network's card.
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
        heated = overlay(inside.crop, inside.heatmaps[..., index], card.codec.aligned)
        heated = Image.fromarray(heated).resize((tile[0], tile[1] - strip))
        picture.paste(heated, (left, top + strip))
        canvas.text((left + 2, top + strip / 2), f"{score:.2f} {name}", INK, font, "lm")
        x, y = (inside.keypoints[index] + 0.5) * zoom + (left, top + strip)
        radius = max(3, 0.015 * tile[1])
        canvas.ellipse([x - radius, y - radius, x + radius, y + radius], None, RING)
    return picture
