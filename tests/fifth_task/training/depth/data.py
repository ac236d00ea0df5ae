"""Pictures with one distance each, and batches of them."""

import json
from pathlib import Path

import numpy as np
import tensorflow as tf

from hrnet_tf.media.images import read_image
from hrnet_tf.media.resize import resize
from hrnet_tf.training.data.order import in_order, shuffled, steps_per_epoch


class Scenes:
    """A source: `rows` with name, picture (H, W, 3) and distance in metres."""

    def __init__(self, rows):
        self.rows = rows

    def __len__(self):
        return len(self.rows["name"])

    def __getitem__(self, rows):
        return Scenes({name: each[rows] for name, each in self.rows.items()})


def read(annotations, images, size):
    found = json.loads(Path(annotations).read_text())
    pictures = [resize(read_image(Path(images) / name), size) for name in found]
    return Scenes(
        {
            "name": np.array([*found]),
            "picture": np.array(pictures, np.float32),
            "metres": np.array([*found.values()], np.float32),
        }
    )


def batches(source, recipe, augment, first_step=0, parts=1, first_part=0, local_parts=1):
    count, size = len(source), recipe.batch_size
    pictures, metres = (tf.constant(source.rows[name]) for name in ("picture", "metres"))
    share = size // parts

    def batch(step):
        if augment:
            chosen = shuffled(step, count, size, recipe.seed)
        else:
            chosen = in_order(step, count, size)
        chosen = chosen[first_part * share : (first_part + local_parts) * share]
        half = [side // 2 for side in recipe.input_size]
        target = tf.gather(metres, chosen)[:, None, None, None] / recipe.farthest
        targets = {"depth": tf.tile(target, (1, *half, 1))}
        weights = {"depth": tf.ones((len(chosen) if chosen.shape[0] else share, *half))}
        inputs = {"image": recipe.card.normalize(tf.gather(pictures, chosen))}
        return inputs, targets, weights

    last = tf.int64.max if augment else steps_per_epoch(count, size)
    return tf.data.Dataset.range(first_step, last).map(batch)
