"""The order of the training data, as a function of seed and step: no state to save or to replay.

Pass after pass goes over all items, each in its own random order, and batches are cut across the
borders of the passes, so that all of them are full.
"""

import numpy as np
import tensorflow as tf

CIPHER_ROUNDS = 24


def steps_per_epoch(count: int, batch_size: int) -> int:
    """Batches until every item has been seen once; the last one begins the next pass."""
    return -(-count // batch_size)


def order(count: int, batch_size: int, seed: int, step: int) -> np.ndarray:
    """Which of `count` items are in the shuffled batch of a step: positions (batch_size,)."""
    return shuffled(tf.constant(step, tf.int64), count, batch_size, seed).numpy()


def in_order(step: tf.Tensor, count: int, batch_size: int) -> tf.Tensor:
    """The items of the batch of a step, unshuffled; the last one repeats the last item."""
    return tf.minimum(_positions(step, batch_size), count - 1)


def shuffled(step: tf.Tensor, count: int, batch_size: int, seed: int) -> tf.Tensor:
    """`order` in the graph.

    Args:
        step: number of the batch, int64.
        count: number of items.
        batch_size: of the batch.
        seed: of the order of each pass.
    """
    position = _positions(step, batch_size)
    number = position // count
    passes = number[0] + tf.range(1 + -(-batch_size // count), dtype=tf.int64)
    # The cipher that shuffles mixes its key badly: the key itself must be random.
    keys = tf.map_fn(
        lambda number: tf.random.stateless_uniform((3,), (seed, number), None, None, tf.int64),
        passes,
    )
    return tf.raw_ops.RandomIndexShuffle(
        index=position % count,
        seed=tf.gather(keys, number - number[0]),
        max_index=tf.constant(count - 1, tf.int64),
        rounds=CIPHER_ROUNDS,
    )


def _positions(step: tf.Tensor, batch_size: int) -> tf.Tensor:
    return step * batch_size + tf.range(batch_size, dtype=tf.int64)
