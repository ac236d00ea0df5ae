"""Random changes of colours."""

import tensorflow as tf

GREY = (0.299, 0.587, 0.114)  # ITU-R BT.601


def recolor(levels: tf.Tensor, color: tf.Tensor) -> tf.Tensor:
    """Changes brightness, contrast (around the mean grey) and saturation, and clips the result.

    Args:
        levels: (B, H, W, 3) grey levels 0..255.
        color: (B, 3) factors.
    """
    bright, contrast, saturation = tf.unstack(color[:, :, None, None, None], axis=1)
    grey = tf.reduce_sum(levels * tf.constant(GREY), axis=-1, keepdims=True)
    mean = tf.reduce_mean(grey, axis=(1, 2), keepdims=True)
    mixed = grey + (levels - grey) * saturation
    return tf.clip_by_value(bright * (contrast * (mixed - mean) + mean), 0.0, 255.0)
