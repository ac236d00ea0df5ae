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


def decoded(counts: tf.Tensor, size: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """The columns of a mask from the first to the last that has pixels; none for an empty text.

    Most objects are narrow, and the other columns would take most of the time.

    Args:
        counts: scalar string.
        size: (2,) height H and width of the mask.

    Returns:
        The columns (N, H) uint8 of 0 and 1, and the place of the first one in the mask.
    """
    height = size[0]

    def none():
        return tf.zeros((0, height), tf.uint8), tf.constant(0)

    def filled():
        # Runs outside and inside in turns; what follows the last one inside is outside.
        ends = tf.minimum(tf.cumsum(runs), height * size[1])
        ends = ends[: tf.size(ends) // 2 * 2]
        first, last = ends[0] // height, -(-ends[-1] // height)
        area = tf.maximum(last - first, 0) * height
        change = ends - first * height
        inside = tf.cumsum(tf.scatter_nd(change[:, None], tf.ones_like(change), [area + 1]))
        columns = tf.reshape(tf.cast(inside[:area] & 1, tf.uint8), (-1, height))
        return columns, first

    empty = tf.strings.length(counts) == 0
    runs = tf.cond(empty, lambda: tf.zeros(0, tf.int32), lambda: run_lengths(counts))
    return tf.cond(tf.size(runs) > 1, filled, none)  # one run: a mask without pixels
