"""Random augmentation of a whole batch, as a function of seed and step.

Order and distributions are those of `lib/dataset/JointsDataset.py` in the repository of Sun et al.
CVPR 2019: half-body, scale, rotation, mirror. Colours and cutout are applied after the crop.
"""

import tensorflow as tf

from hrnet_tf.tasks.pose.geometry import center_scale
from hrnet_tf.training.pose.recipe import PoseRecipe

HALF_BODY_JOINTS = 8  # a person needs more visible joints than these
HALF_BODY_PADDING = 1.5  # padding of half-body crops, instead of the recipe's
UPPER_BELOW = 0.5  # the upper half if a normal variable is below: in 69 % of the draws
HOLE_RADIUS = 0.2  # smallest radius, in widths of the crop; the largest is twice that


def draw(
    center: tf.Tensor, scale: tf.Tensor, keypoints: tf.Tensor, step: tf.Tensor, recipe: PoseRecipe
) -> dict[str, tf.Tensor]:
    """Draws the parameters of one random crop of each person.

    Args:
        center: (B, 2) centres of the padded boxes, image pixels.
        scale: (B, 2) width and height of the padded boxes, image pixels.
        keypoints: (B, K, 3) x, y, visibility.
        step: number of the batch.
        recipe: has the seed and the ranges.

    Returns:
        `center` and `scale` of the regions to crop, `angle` (B,) in degrees, `mirrored` (B,),
        `color` (B, 3) factors of brightness, contrast and saturation, and `hole` (B, 4) centre x, y
        and radii x, y as shares of the crop's width and height; radii of 0 mean no hole.
    """
    count = tf.shape(center)[0]
    seeds = tf.random.split((tf.cast(recipe.seed, tf.int64), tf.cast(step, tf.int64)), 2)
    normal = tf.random.stateless_normal((3, count), seeds[0])
    size, turn, upper = tf.unstack(normal)
    uniform = tf.random.stateless_uniform((13, count), seeds[1])
    half, turned, mirrored, cut, even_size, even_turn = tf.unstack(uniform[:6])

    if recipe.half_body_probability and recipe.keypoints.upper_body:
        halved = half_body(keypoints, upper < UPPER_BELOW, recipe)
        chosen = (half < recipe.half_body_probability) & halved[2]
        center = tf.where(chosen[:, None], halved[0], center)
        scale = tf.where(chosen[:, None], halved[1], scale)
    if recipe.spread == "uniform":
        size, turn = 2 * even_size - 1, 2 * even_turn - 1
    factor = recipe.scale_factor
    zoom = tf.clip_by_value(1 + factor * size, 1 - factor, 1 + factor)
    factor = recipe.rotation_factor
    angle = tf.clip_by_value(factor * turn, -2 * factor, 2 * factor)
    radii = HOLE_RADIUS * (1 + uniform[11:13])
    radii = tf.where(cut < recipe.cutout_probability, radii, 0.0)
    height, width = recipe.input_size
    hole = tf.concat((uniform[9:11], radii[:1], radii[1:] * (width / height)), axis=0)
    return {
        "center": center,
        "scale": scale * zoom[:, None],
        "angle": tf.where(turned < recipe.rotation_probability, angle, 0.0),
        "mirrored": mirrored < recipe.flip_probability * bool(recipe.keypoints.flip_pairs),
        "color": tf.transpose(1 + recipe.color_jitter * (2 * uniform[6:9] - 1)),
        "hole": tf.transpose(hole),
    }


def half_body(
    keypoints: tf.Tensor, upper: tf.Tensor, recipe: PoseRecipe
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """The region of one half of each person, around the mean of its visible joints.

    Args:
        keypoints: (B, K, 3) x, y, visibility.
        upper: (B,) whether the upper half is preferred; a half needs three visible joints.
        recipe: has the upper joints and the shape of the crop.

    Returns:
        Centres (B, 2), sizes (B, 2) in image pixels, and whether a person has enough joints (B,).
    """
    visible = keypoints[..., 2] > 0
    ids = tf.range(len(recipe.keypoints.names))[:, None]
    is_upper = tf.reduce_any(ids == tf.constant(recipe.keypoints.upper_body), axis=1)
    above, below = visible & is_upper, visible & ~is_upper
    number = tf.math.count_nonzero(above, axis=1), tf.math.count_nonzero(below, axis=1)
    take_above = (upper & (number[0] > 2)) | (number[1] <= 2)
    joints = tf.where(take_above[:, None], above, below)[..., None]
    points = keypoints[..., :2]
    far = keypoints.dtype.max
    low = tf.reduce_min(tf.where(joints, points, far), axis=1)
    high = tf.reduce_max(tf.where(joints, points, -far), axis=1)
    number = tf.math.count_nonzero(joints, axis=1, dtype=points.dtype)
    center = tf.math.divide_no_nan(tf.reduce_sum(tf.where(joints, points, 0), axis=1), number)
    height, width = recipe.input_size
    sizes = center_scale(tf.concat((low, high - low), axis=1), width / height, HALF_BODY_PADDING)[1]
    return center, sizes, tf.math.count_nonzero(visible, axis=1) > HALF_BODY_JOINTS


def cut_out(levels: tf.Tensor, hole: tf.Tensor) -> tf.Tensor:
    """Blackens an ellipse of each crop (Huang et al. 2020, AID).

    Args:
        levels: (B, H, W, 3) grey levels.
        hole: (B, 4) from `draw`.
    """
    height, width = levels.shape[1:3]
    x, y, across, down = tf.unstack(hole[:, :, None, None], axis=1)
    columns = tf.range(width, dtype=tf.float32) / width
    rows = tf.range(height, dtype=tf.float32)[:, None] / height
    # The ellipse's equation without division, so that radii of 0 give no hole instead of NaN.
    inside = ((columns - x) * down) ** 2 + ((rows - y) * across) ** 2 < (across * down) ** 2
    return tf.where(inside[..., None], 0.0, levels)
