"""`media.resize` in the graph: the same arithmetic, for sizes that are known when it runs."""

import tensorflow as tf


def resize(
    image: tf.Tensor, size: tf.Tensor, align_corners: bool = False, rows: tf.Tensor | None = None
) -> tf.Tensor:
    """Bilinear resizing without smoothing, as `media.resize.resize`.

    Args:
        image: (h, w, C).
        size: (2,) int32, height and width of the result.
        align_corners: align the centres of the corner pixels instead of the corners of the images.
        rows: (n,) int32, compute only these rows of the result.

    Returns:
        (height, width, C) float32, or (n, width, C).
    """
    image, old = tf.cast(image, tf.float32), tf.shape(image)
    rows = tf.range(size[0]) if rows is None else rows
    top, bottom, down = _neighbours(old[0], size[0], rows, align_corners)
    left, right, across = _neighbours(old[1], size[1], tf.range(size[1]), align_corners)
    down, across = down[:, None, None], across[:, None]
    image = tf.gather(image, top) * (1 - down) + tf.gather(image, bottom) * down
    start = tf.gather(image, left, axis=1)
    return start + (tf.gather(image, right, axis=1) - start) * across


def _neighbours(old, new, numbers, align_corners):
    """For these of `new` pixels the old ones before and after, and the weight of the latter."""
    numbers, last = tf.cast(numbers, tf.float64), old - 1
    old, new = tf.cast(old, tf.float64), tf.cast(new, tf.float64)
    if align_corners:
        places = numbers * ((old - 1) / tf.maximum(new - 1, 1))
    else:
        places = tf.clip_by_value((numbers + 0.5) * (old / new) - 0.5, 0, old - 1)
    low = tf.minimum(tf.cast(places, tf.int32), last)
    share = tf.cast(places - tf.cast(low, tf.float64), tf.float32)
    return low, tf.minimum(low + 1, last), share


def resize_8bit(image: tf.Tensor, size: tf.Tensor) -> tf.Tensor:
    """Bilinear resizing with OpenCV's integers, as `media.resize.resize_8bit`.

    Args:
        image: (h, w, C) uint8.
        size: (2,) int32, height and width of the result.

    Returns:
        (height, width, C) uint8.
    """
    old = tf.shape(image)
    top, down = _places(old[0], size[0])
    left, across = _places(old[1], size[1])
    # Before the first and after the last column OpenCV takes that column alone, but of rows it
    # adds the parts of twice the same row.
    across = tf.where((left < 0) | (left >= old[1] - 1), 0.0, across)
    (above, below), (near, far) = _weights(down[:, None, None]), _weights(across[:, None])
    left, right = (tf.clip_by_value(left + each, 0, old[1] - 1) for each in range(2))
    levels = tf.cast(image, tf.int32)
    levels = tf.gather(levels, left, axis=1) * near + tf.gather(levels, right, axis=1) * far
    levels = tf.bitwise.right_shift(levels, 4)
    upper, lower = (
        tf.bitwise.right_shift(
            tf.gather(levels, tf.clip_by_value(top + each, 0, old[0] - 1)) * weight, 16
        )
        for each, weight in enumerate((above, below))
    )
    small = tf.cast(tf.bitwise.right_shift(upper + lower + 2, 2), tf.uint8)
    return tf.cond(tf.reduce_all(old[:2] == size), lambda: image, lambda: small)


def _places(old, new):
    """For each of `new` pixels, the old one before it, from -1 on, and the weight of the next."""
    old, numbers = tf.cast(old, tf.float64), tf.cast(tf.range(new), tf.float64)
    places = (numbers + 0.5) * (1 / (tf.cast(new, tf.float64) / old)) - 0.5
    places = tf.cast(places, tf.float32)
    low = tf.floor(places)
    return tf.cast(low, tf.int32), places - low


def _weights(share):
    """The weights of two neighbours as integers of 11 bits."""
    return (tf.cast(tf.round(each * 2048), tf.int32) for each in (1 - share, share))
