"""COCO's compressed run-length encoding of masks, decoded in the graph.

`rleFrString` of pycocotools' maskApi: numbers in groups of five bits with a sign, each from the
third on relative to the one two before it. They count pixels outside and inside in turns, column by
column.
"""

import tensorflow as tf


def run_lengths(counts: tf.Tensor) -> tf.Tensor:
    """The lengths (K,) int32 of the runs that a text, a scalar string, encodes."""
    codes = tf.cast(tf.io.decode_raw(counts, tf.uint8), tf.int32) - 48
    ends = codes & 32 == 0
    number = tf.cumsum(tf.cast(ends, tf.int32), exclusive=True)
    index = tf.range(tf.size(codes))
    count = tf.reduce_sum(tf.cast(ends, tf.int32))
    first = tf.math.segment_min(index, number)
    place = 5 * (index - tf.gather(first, number))
    values = tf.math.segment_sum(tf.bitwise.left_shift(codes & 31, place), number)
    last = tf.boolean_mask(codes, ends)
    above = tf.boolean_mask(place, ends) + 5
    minus = tf.bitwise.left_shift(-tf.cast(last & 16 > 0, tf.int32), above)
    values = tf.bitwise.bitwise_or(values, minus)
    even = values[2::2]
    odd = tf.cumsum(values[1::2])
    runs = tf.concat([values[:1], tf.cumsum(even)], axis=0)
    order = tf.concat([2 * tf.range(tf.size(runs)), 2 * tf.range(tf.size(odd)) + 1], axis=0)
    return tf.scatter_nd(order[:, None], tf.concat([runs, odd], axis=0), [count])


def decoded(counts: tf.Tensor, size: tf.Tensor) -> tf.Tensor:
    """The mask (H, W) int32 of 0 and 1 of a text; empty for an empty text.

    Args:
        counts: scalar string.
        size: (2,) height and width.
    """
    area = size[0] * size[1]

    def filled():
        ends = tf.cumsum(run_lengths(counts))[:-1]
        ends = tf.minimum(ends, area)
        change = tf.scatter_nd(ends[:, None], tf.ones_like(ends), [area + 1])
        return tf.cumsum(change)[:area] & 1

    flat = tf.cond(tf.strings.length(counts) > 0, filled, lambda: tf.zeros([area], tf.int32))
    return tf.transpose(tf.reshape(flat, (size[1], size[0])))
