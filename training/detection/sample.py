"""Chooses boxes to train on: at most a share of them objects, the others background."""

from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf

# (assigned (N,), number of boxes, share of objects, name of the draw) -> keys (N,) from 0 to 1.
Keys = Callable[[tf.Tensor, int, float, str], tf.Tensor]


class Sampled(NamedTuple):
    """Boxes to train on; objects come first.

    Attributes:
        rows: (S,) indices of the boxes, int32.
        objects: (S,) int32, the number of the object of each; -1 for background.
        used: (S,) bool; the others only fill the shape.
    """

    rows: tf.Tensor
    objects: tf.Tensor
    used: tf.Tensor

    @property
    def positive(self) -> tf.Tensor:
        """Which rows are objects, (S,) bool."""
        return self.objects >= 0


def sample(assigned: tf.Tensor, keys: tf.Tensor, count: int, share: float) -> Sampled:
    """The boxes with the highest keys (`RandomSampler` of mmdetection, if keys are random).

    Args:
        assigned: (N,) as `assign` returns them.
        keys: (N,) from 0 to 1.
        count: number of boxes.
        share: at most this share are objects; background fills the rest.
    """
    positive = assigned > 0
    most = min(int(count * share), assigned.shape[0])
    first = tf.math.top_k(tf.where(positive, keys, -1.0), most)
    kept = tf.scatter_nd(first.indices[:, None], first.values >= 0, assigned.shape)
    rank = tf.where(kept, keys + 2.0, tf.where(assigned == 0, keys, -1.0))
    found = tf.math.top_k(rank, min(count, assigned.shape[0]))
    used, rows = found.values >= 0, found.indices
    objects = tf.where(used, tf.gather(assigned, rows) - 1, -1)
    return Sampled(rows, objects, used)


def first_keys(count: int) -> tf.Tensor:
    """Keys (count,) by which the first boxes are chosen."""
    return 1.0 - tf.range(count, dtype=tf.float32) / count
