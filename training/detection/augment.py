"""Random views of images with objects, as functions of seed and step.

Images are scaled to fit the recipe's sides as in mmdetection (`Resize`, keep ratio), mirrored, and
lie in the top left corner of the input; if they are larger than the input, a part is cut out.
"""

import tensorflow as tf

from hrnet_tf.training.detection.recipe import DetectionRecipe


def draw(
    size: tf.Tensor, step: tf.Tensor, recipe: DetectionRecipe, augment: bool
) -> dict[str, tf.Tensor]:
    """Draws the parameters of one view of each image.

    Args:
        size: (B, 2) heights and widths.
        step: number of the batch.
        recipe: has the seed and the ranges.
        augment: whether views are random; otherwise they are the middles at the recipe's `sides`.

    Returns:
        `scaled` (B, 2) int32, the size of the image after scaling; `corner` (B, 2) int32, top left
        of the view in it; `mirrored` (B,); `color` (B, 3); `seed` (B, 2) int32.
    """
    count = tf.shape(size)[0]
    if not augment:
        ones = tf.ones(count)
        scaled = scaled_sizes(size, min(recipe.sides) * ones, ones, max(recipe.sides))
        place = tf.fill((count, 2), 0.5)
        return {
            "scaled": scaled,
            "corner": corners(place, scaled, recipe.input_size),
            "mirrored": tf.zeros(count, bool),
            "color": tf.ones((count, 3)),
            "seed": tf.stack([tf.zeros(count, tf.int32), tf.range(count)], axis=1),
        }
    seed = (tf.cast(recipe.seed, tf.int64), tf.cast(step, tf.int64))
    share = tf.unstack(tf.random.stateless_uniform((8, count), seed))
    choices = tf.constant(recipe.train_sides or (min(recipe.sides),), tf.float32)
    short = tf.gather(choices, tf.cast(share[0] * choices.shape[0], tf.int32))
    low, high = recipe.scale_range
    scaled = scaled_sizes(size, short, low + (high - low) * share[1], max(recipe.sides))
    draws = tf.random.stateless_uniform((count, 2), seed, None, None, tf.int32)
    return {
        "scaled": scaled,
        "corner": corners(tf.stack(share[2:4], axis=1), scaled, recipe.input_size),
        "mirrored": share[4] < recipe.flip_probability,
        "color": 1 + recipe.color_jitter * (2 * tf.stack(share[5:8], axis=1) - 1),
        "seed": draws,
    }


def scaled_sizes(size: tf.Tensor, short: tf.Tensor, factor: tf.Tensor, long: int) -> tf.Tensor:
    """The sizes (B, 2) of images that are scaled to fit a longer and a shorter side, times factors.

    Args:
        size: (B, 2) heights and widths.
        short: (B,) pixels of the shorter side.
        factor: (B,).
        long: pixels of the longer side.
    """
    sides = tf.cast(size, tf.float64)
    least, most = tf.reduce_min(sides, axis=1), tf.reduce_max(sides, axis=1)
    scale = tf.minimum(float(long) / most, tf.cast(short, tf.float64) / least)
    scale *= tf.cast(factor, tf.float64)
    return tf.maximum(tf.cast(sides * scale[:, None] + 0.5, tf.int32), 1)


def corners(place: tf.Tensor, scaled: tf.Tensor, size: tuple[int, int]) -> tf.Tensor:
    """Top left corners (B, 2) of views of `size`; `place` (B, 2) is their share of the room."""
    room = tf.cast(tf.maximum(scaled - tf.constant(size), 0), tf.float32)
    return tf.cast(tf.minimum(tf.floor(place * (room + 1)), room), tf.int32)


def inverse(row: dict) -> tf.Tensor:
    """The map (6,) from pixels of the view to pixels of the image (see `training.data.crops`)."""
    scaled, size = tf.cast(row["scaled"], tf.float32), tf.cast(row["size"], tf.float32)
    step = size / scaled
    top, left = tf.unstack(tf.cast(row["corner"], tf.float32))
    # Pixel x of the view is column left + x of the scaled image, counted from its right side if
    # the image is mirrored.
    flip = row["mirrored"]
    sign = tf.where(flip, -1.0, 1.0)
    column = tf.where(flip, scaled[1] - 1 - left, left)
    x, y = (column + 0.5) * step[1] - 0.5, (top + 0.5) * step[0] - 0.5
    return tf.stack((sign * step[1], 0.0, x, 0.0, step[0], y))


def moved(boxes: tf.Tensor, row: dict, shown: tf.Tensor) -> tf.Tensor:
    """Boxes (K, 4) of the image in the view, clipped to the part (2,) that shows the image."""
    scale = tf.cast(row["scaled"], tf.float32) / tf.cast(row["size"], tf.float32)
    boxes = boxes * tf.tile(scale[::-1], (2,))
    width = tf.cast(row["scaled"][1], tf.float32)
    mirrored = tf.stack([width - boxes[:, 2], boxes[:, 1], width - boxes[:, 0], boxes[:, 3]], 1)
    boxes = tf.where(row["mirrored"], mirrored, boxes)
    boxes -= tf.tile(tf.cast(row["corner"], tf.float32)[::-1], (2,))
    limit = tf.tile(tf.cast(shown, tf.float32)[::-1], (2,))
    return tf.clip_by_value(boxes, 0.0, limit)


def resampled(columns: tf.Tensor, first: tf.Tensor, row: dict, size: tuple[int, int]) -> tf.Tensor:
    """A mask in the view of `size`, by nearest pixels as OpenCV; 0 beyond the image.

    Pixel x of a resized mask is pixel floor(x * old / new).

    Args:
        columns: (N, H) uint8, those of the image that are not 0.
        first: place of the first one in the image.
        row: of the view, as `draw` and `rows` give it.
        size: height and width of the view.

    Returns:
        (height, width) uint8.
    """
    rows, shown = _places(row, 0, size[0])
    wanted, seen = _places(row, 1, size[1])
    wanted -= first
    seen &= (wanted >= 0) & (wanted < tf.shape(columns)[0])
    # Those that are seen lie side by side.
    left, count = tf.argmax(seen, output_type=tf.int32), tf.reduce_sum(tf.cast(seen, tf.int32))
    part = tf.transpose(tf.gather(columns, wanted[left : left + count]))
    part = tf.gather(part, rows) * tf.cast(shown, part.dtype)[:, None]
    return tf.pad(part, ((0, 0), (left, size[1] - left - count)))


def _places(row, axis, count):
    """The pixel of the image at each place of a view along an axis, and whether there is one."""
    old, new = row["size"][axis], row["scaled"][axis]
    places = row["corner"][axis] + tf.range(count)
    inside = places < new
    if axis:
        places = tf.where(row["mirrored"], new - 1 - places, places)
    step = 1 / (tf.cast(new, tf.float64) / tf.cast(old, tf.float64))
    chosen = tf.cast(tf.floor(tf.cast(places, tf.float64) * step), tf.int32)
    return tf.clip_by_value(chosen, 0, old - 1), inside
