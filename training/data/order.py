"""The order of the training data as a function of seed and step, without state to save.

Each pass over all items has its own random order. A batch may contain the last items of a pass and
the first items of the next one, so that all batches are full.
"""

import numpy as np
import tensorflow as tf

CIPHER_ROUNDS = 24


def steps_per_epoch(count: int, batch_size: int) -> int:
    """Number of batches until every item has been seen; the last may start the next pass."""
    return -(-count // batch_size)


def order(count: int, batch_size: int, seed: int, step: int) -> np.ndarray:
    """The indices (batch_size,) of the items in the shuffled batch of a step."""
    return shuffled(tf.constant(step, tf.int64), count, batch_size, seed).numpy()


def in_order(step: tf.Tensor, count: int, batch_size: int) -> tf.Tensor:
    """The indices of a step's batch without shuffling; the last batch repeats the last item."""
    return tf.minimum(_positions(step, batch_size), count - 1)


def shuffled(step: tf.Tensor, count: int, batch_size: int, seed: int) -> tf.Tensor:
    """`order` in the graph.

    Args:
        step: number of the batch, int64.
        count: number of items.
        batch_size: number of items in a batch.
        seed: the seed from which the order of each pass is made.
    """
    position = _positions(step, batch_size)
    number = position // count
    passes = number[0] + tf.range(1 + -(-batch_size // count), dtype=tf.int64)
    # The shuffling cipher gives related orders for related keys, so its keys must be random.
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
