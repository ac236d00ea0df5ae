"""Depth as a `Task`."""

import numpy as np
from PIL import Image

from hrnet_tf.cards.depth import DepthCard
from hrnet_tf.tasks.depth.options import DepthOptions
from hrnet_tf.tasks.depth.predictor import DepthPredictor
from hrnet_tf.tasks.task import Task


def draw(image, depth, card):
    """Near is bright."""
    return [Image.fromarray(np.uint8(255 * (1 - np.clip(depth / card.farthest, 0, 1))))]


def records(name, image_id, depth, card):
    """The nearest and the mean distance of a picture."""
    return [{"image_id": image_id, "nearest": float(depth.min()), "mean": float(depth.mean())}]


TASK = Task(
    card=DepthCard,
    options=DepthOptions,
    predictor=DepthPredictor,
    records=records,
    draw=draw,
    suffixes=(".png",),
)
