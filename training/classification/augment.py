"""Random crops, as torchvision's RandomResizedCrop draws them, as a function of seed and step."""

import math

import tensorflow as tf

from hrnet_tf.training.classification.recipe import ClassificationRecipe

TRIES = 10  # boxes that are drawn until one fits into the picture


def draw(count: int, step: tf.Tensor, recipe: ClassificationRecipe) -> dict[str, tf.Tensor]:
    """Draws random numbers for the crops of a batch.

    Returns:
        `box` (B, 10, 4) from 0 to 1 for `random_box`, `mirrored` (B,), and `color` (B, 3) factors
        of brightness, contrast and saturation.
    """
    seeds = tf.random.split((tf.cast(recipe.seed, tf.int64), tf.cast(step, tf.int64)), 2)
    uniform = tf.random.stateless_uniform((count, 4), seeds[1])
    return {
        "box": tf.random.stateless_uniform((count, TRIES, 4), seeds[0], dtype=tf.float64),
        "mirrored": uniform[:, 0] < recipe.flip_probability,
        "color": 1 + recipe.color_jitter * (2 * uniform[:, 1:] - 1),
    }


def random_box(size: tf.Tensor, draws: tf.Tensor, smallest: float, stretch: float) -> tf.Tensor:
    """A random box in a picture: `RandomResizedCrop.get_params`.

    Args:
        size: (2,) height and width.
        draws: (10, 4) float64 from 0 to 1: area, ratio of the sides, top, left.
        smallest: least share of the area.
        stretch: largest ratio of the sides.

    Returns:
        (4,) top, left, height, width, int32. If no drawn box fits into the picture, it is the
        middle of the picture, with sides of the nearest ratio.
    """
    height, width = tf.unstack(tf.cast(size, tf.float64))
    area = height * width * (smallest + (1 - smallest) * draws[:, 0])
    ratio = tf.exp(math.log(stretch) * (2 * draws[:, 1] - 1))
    wide, high = tf.round(tf.sqrt(area * ratio)), tf.round(tf.sqrt(area / ratio))
    fits = (wide > 0) & (wide <= width) & (high > 0) & (high <= height)
    every = tf.stack((high, wide, draws[:, 2], draws[:, 3]), axis=1)
    high, wide, down, across = tf.unstack(tf.gather(every, tf.argmax(fits)))
    top, left = tf.floor(down * (height - high + 1)), tf.floor(across * (width - wide + 1))
    drawn = tf.stack((top, left, high, wide))
    high = tf.minimum(height, tf.maximum(tf.round(width * stretch), 1))
    wide = tf.minimum(width, tf.maximum(tf.round(height * stretch), 1))
    middle = tf.stack(((height - high) // 2, (width - wide) // 2, high, wide))
    return tf.cast(tf.where(tf.reduce_any(fits), drawn, middle), tf.int32)
