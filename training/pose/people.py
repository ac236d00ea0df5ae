"""People to crop, as arrays: the interface that image files and TFRecords share."""

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf
from keras import ops

from hrnet_tf.tasks.pose.geometry import center_scale
from hrnet_tf.training.data import crops
from hrnet_tf.training.data.rows import Rows
from hrnet_tf.training.pose import augment
from hrnet_tf.training.pose.readers.coco import Record
from hrnet_tf.training.pose.recipe import PoseRecipe

SLACK = 4  # pixels that crops may read beyond their region


@dataclasses.dataclass(frozen=True, eq=False)
class People(Rows):
    """N people as arrays with one row each, and a function that reads their pixels.

    A slice of it holds the people of these rows.

    Attributes:
        rows: "name" (N,) file and annotation, for messages; "box" (N, 4) x, y, w, h; "keypoints"
            (N, K, 3) x, y and visibility; "size" (N, 2) height and width of the image; "bounds"
            (N, 4) top, left, bottom, right of its part that can be read; and arrays for `load`.
        load: (row, window (4,)) -> the pixels of a part of the image that contains the window, and
            the part's top left corner (2,); runs in the graph.
    """

    load: Callable[[dict, tf.Tensor], tuple[tf.Tensor, tf.Tensor]]


def images(records: Sequence[Record]) -> People:
    """The people of records, whose pixels are read from image files."""
    sizes = np.array([record.image.size for record in records], np.int32).reshape(-1, 2)
    rows = {
        "name": np.array([f"{r.image.path}: annotation {r.id}" for r in records], object),
        "path": np.array([str(record.image.path) for record in records], object),
        "box": np.array([record.box for record in records], np.float32),
        "keypoints": np.array([record.keypoints for record in records], np.float32),
        "size": sizes,
        "bounds": np.concatenate((np.zeros_like(sizes), sizes), axis=1),
    }
    return People(rows, lambda row, window: crops.read_image(row["path"], row["size"], window))


def regions(boxes: np.ndarray, recipe: PoseRecipe) -> tuple[np.ndarray, np.ndarray]:
    """Centres and sizes (N, 2), in image pixels, of unaugmented crops of these boxes (N, 4)."""
    height, width = recipe.input_size
    found = center_scale(boxes, width / height, recipe.padding)
    return tuple(map(ops.convert_to_numpy, found))


def reach(people: People, recipe: PoseRecipe) -> np.ndarray:
    """The smallest windows that contain all pixels that a recipe's augmentation may show.

    Returns:
        (N, 4) top, left, bottom, right within the image, the last two exclusive.
    """
    views = [regions(people.rows["box"], recipe)]
    if recipe.half_body_probability and recipe.keypoints.upper_body:
        for upper in (True, False):
            preferred = tf.fill((len(people),), upper)
            half = augment.half_body(tf.constant(people.rows["keypoints"]), preferred, recipe)
            center, scale, possible = map(ops.convert_to_numpy, half)
            center = np.where(possible[:, None], center, views[0][0])
            views.append((center, np.where(possible[:, None], scale, views[0][1])))
    turn = recipe.rotation_factor * (2 if recipe.spread == "normal" else 1)
    turn = np.radians(turn if recipe.rotation_probability else 0)
    low, high = [], []
    for center, scale in views:
        width, height = (1 + recipe.scale_factor) * scale.astype(np.float64).T
        # A rotated rectangle is widest when its diagonal is horizontal.
        flat, upright = np.minimum(turn, np.arctan2((height, width), (width, height)))
        across = width * np.cos(flat) + height * np.sin(flat)
        down = width * np.sin(upright) + height * np.cos(upright)
        half = np.column_stack((down, across)) / 2 + SLACK
        low.append(center[:, ::-1] - half)
        high.append(center[:, ::-1] + half)
    size = people.rows["size"]
    low = np.clip(np.floor(np.min(low, axis=0)), 0, size - 2)
    high = np.clip(np.ceil(np.max(high, axis=0)), low + 2, size)
    return np.concatenate((low, high), axis=1).astype(np.int32)


def check_reach(people: People, recipe: PoseRecipe) -> None:
    """Raises ValueError if a crop of the recipe may need pixels that cannot be read."""
    needed, bounds = reach(people, recipe), people.rows["bounds"]
    lacking = (needed[:, :2] < bounds[:, :2]).any(axis=1) | (needed[:, 2:] > bounds[:, 2:]).any(1)
    if lacking.any():
        raise ValueError(
            f"The records of {lacking.sum()} people lack pixels that crops of this recipe may "
            "show: they were written for smaller ones. Write them again with this recipe."
        )
