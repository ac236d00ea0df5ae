"""Pillow's resize in the graph: pictures are smoothed as they shrink.

As in Pillow, both axes are resized one after the other, and both results are rounded to whole grey
levels. Pillow 13 starts with the height if it shrinks by more than twice as many pixels as the
width, else with the width. In float32 about 1 value in 250 differs by one level, since Pillow
computes with integers. `exact` computes with Pillow's integers, which float64 holds.
"""

import math

import tensorflow as tf

BLOCKS = 16  # outputs are computed in so many groups, each from its own part of the input
PILLOW_ONE = 2.0**22  # Pillow's integer weights are multiples of its inverse
CUBIC = -0.5  # Pillow's parameter of bicubic resizing


def resize(
    pixels: tf.Tensor,
    whole: tf.Tensor,
    corner: tf.Tensor,
    size: tuple[int, int],
    interpolation: str = "bilinear",
    mirrored: tf.Tensor | bool = False,
    exact: bool = False,
) -> tf.Tensor:
    """A part of a resized picture: `Image.resize(whole).crop(...)`.

    Args:
        pixels: (h, w, 3) uint8.
        whole: (2,) height and width of the resized picture.
        corner: (2,) top and left of the part in it.
        size: (height, width) of the part; multiples of 16 are fastest.
        interpolation: "bilinear" or "bicubic".
        mirrored: whether the part's columns run from right to left. This costs nothing here, and
            reversing the pixels a millisecond.
        exact: all levels are those of Pillow 13; takes about twice the time and memory.

    Returns:
        (height, width, 3) uint8.
    """
    shape, dtype = tf.shape(pixels), tf.float64 if exact else tf.float32
    sides = []
    for axis, turned in enumerate((False, mirrored)):
        place = _centers(shape[axis], whole[axis], corner[axis], size[axis], turned, dtype)
        inputs, weights = _weights(shape[axis], *place, interpolation)
        if exact:
            weights = tf.round(weights * PILLOW_ONE) / PILLOW_ONE
        sides.append((shape[axis], inputs, weights))
    x = tf.cast(pixels, dtype)

    def rows_first():
        return _turned(_shrunk(_turned(_shrunk(x, *sides[0])), *sides[1]))

    def columns_first():
        return _shrunk(_turned(_shrunk(_turned(x), *sides[1])), *sides[0])

    less = shape[:2] - whole
    first = less[0] > tf.maximum(2 * less[1], 0)
    return tf.reshape(tf.cast(tf.cond(first, rows_first, columns_first), tf.uint8), (*size, 3))


def _shrunk(x, length, inputs, weights):
    """Resizes the first axis, along which gathering is fast, and rounds to grey levels."""
    found = weights @ tf.gather(tf.reshape(x, (length, -1)), inputs)
    found = tf.reshape(found, (tf.size(weights) // tf.shape(weights)[2], -1, 3))
    return tf.clip_by_value(tf.floor(found + 0.5), 0.0, 255.0)  # bicubic weights reach beyond


def _turned(x):
    return tf.transpose(x, (1, 0, 2))


def _centers(length, whole, first, count, turned, dtype):
    """Where the centres of outputs (blocks, m) lie in the input, and its pixels per output."""
    scale = tf.cast(length, dtype) / tf.cast(whole, dtype)
    numbers = tf.range(count, dtype=dtype)
    numbers = tf.where(turned, count - 1 - numbers, numbers)
    center = (tf.cast(first, dtype) + numbers + 0.5) * scale
    return tf.reshape(center, (math.gcd(BLOCKS, count), -1)), scale


def _weights(length, center, scale, interpolation):
    """Which inputs each block of outputs reads (blocks, n), and their weights (blocks, m, n)."""
    wide = tf.maximum(scale, 1.0)
    reach = wide * (1.0 if interpolation == "bilinear" else 2.0)
    span = tf.math.ceil(scale * (center.shape[1] - 1) + 2 * reach)
    span = tf.minimum(tf.cast(span, tf.int32) + 1, length)
    start = tf.cast(tf.floor(tf.reduce_min(center, axis=1) - reach), tf.int32)
    inputs = tf.clip_by_value(start, 0, length - span)[:, None] + tf.range(span)
    distance = tf.abs(tf.cast(inputs, center.dtype)[:, None] + 0.5 - center[:, :, None]) / wide
    weights = _bilinear(distance) if interpolation == "bilinear" else _bicubic(distance)
    return inputs, weights / tf.reduce_sum(weights, axis=2, keepdims=True)


def _bilinear(x):
    return tf.nn.relu(1 - x)


def _bicubic(x):
    near = ((CUBIC + 2) * x - (CUBIC + 3)) * x * x + 1
    far = (((x - 5) * x + 8) * x - 4) * CUBIC
    return tf.where(x < 1, near, tf.where(x < 2, far, tf.zeros_like(x)))
