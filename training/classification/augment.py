"""Random crops, as torchvision's RandomResizedCrop draws them, as a function of seed and step."""

import math

import tensorflow as tf

from hrnet_tf.training.classification.recipe import ClassificationRecipe

TRIES = 10  # boxes that are drawn until one fits into the picture


def draw(count: int, step: tf.Tensor, recipe: ClassificationRecipe) -> dict[str, tf.Tensor]:
    """Draws random numbers for the crops of a batch.

    Returns:
        `box` (B, 10, 4) for `random_box`, `mirrored` (B,), and `color` (B, 3) factors of
        brightness, contrast and saturation.
    """
    seeds = tf.random.split((tf.cast(recipe.seed, tf.int64), tf.cast(step, tf.int64)), 2)
    uniform = tf.random.stateless_uniform((count, 4), seeds[1])
    boxes = tf.random.stateless_uniform((count, TRIES, 4), seeds[0], dtype=tf.float64)
    return {
        "box": tried(boxes, recipe.smallest_crop, recipe.stretch),
        "mirrored": uniform[:, 0] < recipe.flip_probability,
        "color": 1 + recipe.color_jitter * (2 * uniform[:, 1:] - 1),
    }


def tried(uniform: tf.Tensor, smallest: float, stretch: float) -> tf.Tensor:
    """Boxes that `random_box` tries, for pictures of any size.

    Args:
        uniform: (..., 10, 4) float64 from 0 to 1: area, ratio of the sides, top, left.
        smallest: least share of the area.
        stretch: largest ratio of the sides.

    Returns:
        (..., 10, 4) height and width in roots of the picture's area; top and left from 0 to 1.
    """
    area = smallest + (1 - smallest) * uniform[..., 0]
    ratio = tf.exp(math.log(stretch) * (2 * uniform[..., 1] - 1))
    sides = tf.stack((tf.sqrt(area / ratio), tf.sqrt(area * ratio)), axis=-1)
    return tf.concat((sides, uniform[..., 2:]), axis=-1)


def random_box(size: tf.Tensor, boxes: tf.Tensor, stretch: float) -> tf.Tensor:
    """The first box that fits into a picture: `RandomResizedCrop.get_params`.

    It computes on few large arrays, since starting an operation takes longer than its arithmetic.

    Args:
        size: (2,) height and width.
        boxes: (10, 4) from `tried`.
        stretch: largest ratio of the sides.

    Returns:
        (4,) top, left, height, width, int32. If no box fits, it is the middle of the picture, with
        sides of the nearest ratio.
    """
    size = tf.cast(size, tf.float64)
    sides = tf.round(tf.sqrt(tf.reduce_prod(size)) * boxes[:, :2])
    fits = tf.reduce_all((sides > 0) & (sides <= size), axis=1)
    corners = tf.floor(boxes[:, 2:] * (size - sides + 1))
    middle = tf.minimum(size, tf.maximum(tf.round(size[::-1] * stretch), 1))
    last = tf.concat(((size - middle) // 2, middle), axis=0)
    every = tf.concat((tf.concat((corners, sides), axis=1), last[None]), axis=0)
    return tf.cast(tf.gather(every, tf.argmax(tf.concat((fits, (True,)), axis=0))), tf.int32)
