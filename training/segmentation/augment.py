"""Random views of pictures: scale, place, mirror, colours, as functions of seed and step.

The order and the arithmetic are those of `gen_sample` in `lib/datasets/base_dataset.py` of the
original (HRNet-Semantic-Segmentation, branch HRNet-OCR), for each data set as its class has them:
pictures are resized bilinearly to whole grey levels, masks to the nearest pixel by OpenCV's rule;
what lies beyond the picture is black and has no class.
"""

import tensorflow as tf

from hrnet_tf.labels.label_values import IGNORED
from hrnet_tf.training.data.colors import recolor
from hrnet_tf.training.data.crops import bytes_of, crop
from hrnet_tf.training.segmentation.recipe import SegmentationRecipe

BRIGHTNESS = 10  # grey levels: the largest shift of `random_brightness`


def draw(size: tf.Tensor, step: tf.Tensor, recipe: SegmentationRecipe) -> dict[str, tf.Tensor]:
    """Draws the parameters of one random view of each picture.

    Args:
        size: (B, 2) heights and widths.
        step: number of the batch.
        recipe: has the seed and the ranges.

    Returns:
        `scale` (B,); `place` (B, 2), the place of the crop as a share of those that there are;
        `mirrored` (B,); `shift` (B,) in grey levels; `color` (B, 3) factors of brightness, contrast
        and saturation.
    """
    count = tf.shape(size)[0]
    seed = (tf.cast(recipe.seed, tf.int64), tf.cast(step, tf.int64))
    share = tf.unstack(tf.random.stateless_uniform((9, count), seed))
    low, high, width = *recipe.scale_range, recipe.scale_step
    if width:
        steps = round((high - low) / width)
        scale = low + width * tf.floor(share[0] * (steps + 1))
    else:
        scale = low + (high - low) * share[0]
    shift = tf.floor(share[4] * (2 * BRIGHTNESS + 1)) - BRIGHTNESS
    jitter = 1 + recipe.color_jitter * (2 * tf.stack(share[6:9], axis=1) - 1)
    return {
        "scale": scale,
        "place": tf.stack(share[1:3], axis=1),
        "mirrored": share[3] < recipe.flip_probability,
        "shift": tf.where((share[5] >= 0.5) & recipe.random_brightness, shift, 0.0),
        "color": jitter,
    }


def plain(size: tf.Tensor) -> dict[str, tf.Tensor]:
    """The parameters of the middle of each picture at scale 1, unchanged."""
    count = tf.shape(size)[0]
    return {
        "scale": tf.ones(count),
        "place": tf.fill((count, 2), 0.5),
        "mirrored": tf.zeros(count, bool),
        "shift": tf.zeros(count),
        "color": tf.ones((count, 3)),
    }


def sizes(
    size: tf.Tensor, scale: tf.Tensor, recipe: SegmentationRecipe
) -> tuple[tf.Tensor, tf.Tensor]:
    """The sizes to which pictures are resized: first, and then at their scales.

    Args:
        size: (B, 2) heights and widths.
        scale: (B,).
        recipe: has the rule and `base_size`.

    Returns:
        (B, 2) and (B, 2) int32; the first are `size` if pictures are resized once.
    """
    base = float(recipe.base_size or 0)
    ones = tf.ones_like(size[:, :1])
    first = size
    if recipe.resize == "both":
        first = tf.concat((ones, ones), axis=1) * recipe.base_size
    elif recipe.resize == "short_long":
        first = _proportional(size, tf.reduce_min(size, axis=1), tf.fill(tf.shape(scale), base))
    known = (
        tf.reduce_min(first, axis=1) if recipe.resize == "short" else tf.reduce_max(first, axis=1)
    )
    target = tf.cast(known, tf.float32) if recipe.resize == "none" else base
    return first, _proportional(first, known, tf.floor(target * scale + 0.5))


def _proportional(size, known, length):
    """The sizes whose side of the length `known` becomes `length`, rounded half up."""
    wanted = tf.cast(length, tf.float64)[:, None]
    size, known = tf.cast(size, tf.float64), tf.cast(known, tf.float64)[:, None]
    found = tf.where(size == known, wanted, tf.floor(size * wanted / known + 0.5))
    return tf.maximum(tf.cast(found, tf.int32), 1)


def places(place: tf.Tensor, size: tf.Tensor, crop: tuple[int, int]) -> tf.Tensor:
    """The top left corners (B, 2) of crops in resized pictures of `size` (B, 2).

    Pictures smaller than the crop are padded on their right and bottom sides.
    """
    room = tf.cast(tf.maximum(size - tf.constant(crop), 0), tf.float32)
    return tf.cast(tf.minimum(tf.floor(place * (room + 1)), room), tf.int32)


def view(pixels: tf.Tensor, classes: tf.Tensor, row: dict, recipe: SegmentationRecipe) -> tf.Tensor:
    """The crop of one picture and of its classes, in the graph; `finished` completes it.

    Args:
        pixels: (H, W, 3) uint8.
        classes: (H, W) uint8.
        row: `first` and `scaled` (2,) from `sizes`, `corner` (2,) from `places`, `mirrored`.
        recipe: has the size of the crop.

    Returns:
        (h, w) uint32: red + 256 green + 65536 blue + 2^24 class.
    """
    if recipe.resize == "both":  # LIP's pictures are mirrored before they are resized
        flip = tf.where(row["mirrored"], -1, 1)
        pixels, classes = pixels[:, ::flip], classes[:, ::flip]
    if recipe.resize in ("both", "short_long"):
        pixels = resized(pixels, row["first"])
        classes = nearest(classes, row["first"], tf.zeros(2, tf.int32), row["first"])
    corner, scaled = row["corner"], row["scaled"]
    step = tf.cast(tf.shape(classes), tf.float32) / tf.cast(scaled, tf.float32)
    start = (tf.cast(corner, tf.float32) + 0.5) * step - 0.5
    inverse = tf.stack((step[1], 0.0, start[1], 0.0, step[0], start[0]))
    levels = crop(pixels, tf.zeros(2, tf.int32), inverse, recipe.input_size, continued=True)
    size = tf.minimum(scaled - corner, tf.constant(recipe.input_size))
    classes = nearest(classes, scaled, corner, size)
    margin = tf.constant(recipe.input_size) - size
    classes = tf.pad(classes, ((0, margin[0]), (0, margin[1])), constant_values=IGNORED)
    classes = tf.ensure_shape(classes, recipe.input_size)
    return levels + tf.bitwise.left_shift(tf.cast(classes, tf.uint32), tf.constant(24, tf.uint32))


def finished(
    crops: tf.Tensor, row: dict, recipe: SegmentationRecipe
) -> tuple[tf.Tensor, tf.Tensor]:
    """Grey levels (B, h, w, 3) float32 and classes (B, h, w) int32 of crops (B, h, w) of `view`.

    `row` has `scaled` and `corner` (B, 2), `mirrored`, `shift` (B,) and `color` (B, 3). Beyond the
    resized picture it is black; crops are mirrored as wholes, but for LIP's.
    """
    parts = bytes_of(crops, 4)
    levels, classes = tf.cast(parts[..., :3], tf.float32), parts[..., 3]
    height, width = recipe.input_size
    left = row["scaled"] - row["corner"]
    rows = tf.range(height)[None, :, None] < left[:, :1, None]
    columns = tf.range(width)[None, None] < left[:, 1:, None]
    levels = tf.where((rows & columns)[..., None], levels, 0.0)
    if recipe.random_brightness:
        levels = brightened(levels, row["shift"])
    if recipe.color_jitter:
        levels = recolor(levels, row["color"])
    if recipe.resize != "both":
        flip = row["mirrored"][:, None, None]
        levels = tf.where(flip[..., None], levels[:, :, ::-1], levels)
        classes = tf.where(flip, classes[:, :, ::-1], classes)
    return levels, classes


def resized(pixels: tf.Tensor, size: tf.Tensor) -> tf.Tensor:
    """A picture (H, W, 3) uint8 resized bilinearly to (height, width), as `cv2.resize` does it."""
    scale = tf.cast(size, tf.float32) / tf.cast(tf.shape(pixels)[:2], tf.float32)
    found = tf.raw_ops.ScaleAndTranslate(
        images=pixels[None],
        size=size,
        scale=scale,
        translation=tf.zeros(2),
        kernel_type="triangle",
        antialias=False,
    )
    return tf.cast(tf.round(found[0]), tf.uint8)


def nearest(classes: tf.Tensor, scaled: tf.Tensor, corner: tf.Tensor, size: tf.Tensor) -> tf.Tensor:
    """A part of a mask (H, W) resized to the nearest pixels, as `cv2.resize` does it.

    Pixel x of the result is pixel floor(x * old / new) of the mask.

    Args:
        classes: (H, W).
        scaled: (2,) height and width of the resized mask.
        corner: (2,) top left of the part in it.
        size: (2,) height and width of the part.
    """
    for axis in (0, 1):
        old = tf.shape(classes)[axis]
        places = tf.cast(corner[axis] + tf.range(size[axis]), tf.float64)
        step = 1 / (tf.cast(scaled[axis], tf.float64) / tf.cast(old, tf.float64))
        chosen = tf.minimum(tf.cast(tf.floor(places * step), tf.int32), old - 1)
        classes = tf.gather(classes, chosen, axis=axis)
    return classes


def brightened(levels: tf.Tensor, shift: tf.Tensor) -> tf.Tensor:
    """Grey levels (B, H, W, 3) moved by (B,), within 0..255; padding too, as in the original."""
    return tf.clip_by_value(levels + shift[:, None, None, None], 0.0, 255.0)
