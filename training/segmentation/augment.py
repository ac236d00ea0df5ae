"""Random views of pictures: scale, place, mirror, colours, as functions of seed and step.

The order and the arithmetic are those of `gen_sample` in `lib/datasets/base_dataset.py` of the
original (HRNet-Semantic-Segmentation, branch HRNet-OCR), for each data set as its class has them:
pictures are resized bilinearly to whole grey levels, masks to the nearest pixel by OpenCV's rule;
what lies beyond the picture is black and has no class.
"""

import tensorflow as tf

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


def view(
    pixels: tf.Tensor, raw: tf.Tensor, row: dict, recipe: SegmentationRecipe
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """The crop of one picture and of its mask, in the graph.

    Args:
        pixels: (H, W, 3) uint8.
        raw: (H, W, 1) stored pixels of the mask.
        row: `first` and `scaled` (2,) from `sizes`, `corner` (2,) from `places`, `mirrored`.
        recipe: has the size of the crop.

    Returns:
        Pixels (h, w, 3) uint8, raw (h, w) and whether there is a picture (h, w); mirrored.
    """
    before = recipe.resize == "both"  # LIP's pictures are mirrored before they are resized
    if before:
        mirrored = row["mirrored"]
        pixels, raw = (
            tf.cond(mirrored, lambda x=x: x[:, ::-1], lambda x=x: x) for x in (pixels, raw)
        )
    if before or recipe.resize == "short_long":
        whole = row["first"]
        pixels = resized(pixels, whole, tf.zeros(2, tf.int32), whole)
        raw = nearest(raw, whole, tf.zeros(2, tf.int32), whole)
    corner, scaled = row["corner"], row["scaled"]
    size = tf.minimum(scaled - corner, tf.constant(recipe.input_size))
    pixels = resized(pixels, scaled, corner, size)
    raw = nearest(raw, scaled, corner, size)
    height, width = recipe.input_size
    margin = ((0, height - size[0]), (0, width - size[1]), (0, 0))
    inside = tf.pad(tf.ones_like(raw, tf.bool), margin)
    pixels, raw, inside = tf.pad(pixels, margin), tf.pad(raw, margin)[..., 0], inside[..., 0]
    if not before:
        flip = tf.where(row["mirrored"], -1, 1)
        pixels, raw, inside = (each[:, ::flip] for each in (pixels, raw, inside))
    pixels = tf.ensure_shape(pixels, (height, width, 3))
    raw, inside = (tf.ensure_shape(each, (height, width)) for each in (raw, inside))
    return pixels, raw, inside


def resized(pixels: tf.Tensor, scaled: tf.Tensor, corner: tf.Tensor, size: tf.Tensor) -> tf.Tensor:
    """A part of a picture resized bilinearly, as `cv2.resize` of the whole picture gives it.

    OpenCV's arithmetic of 11 bits differs by one grey level at some pixels.

    Args:
        pixels: (H, W, 3) uint8.
        scaled: (2,) height and width of the resized picture.
        corner: (2,) top left of the part in it.
        size: (2,) height and width of the part.

    Returns:
        (h, w, 3) uint8.
    """
    shape = tf.shape(pixels)[:2]
    step = tf.cast(shape, tf.float64) / tf.cast(scaled, tf.float64)
    start = (tf.cast(corner, tf.float64) + 0.5) * step - 0.5
    end = start + tf.cast(size - 1, tf.float64) * step
    low = tf.clip_by_value(tf.cast(tf.floor(start), tf.int32), 0, shape - 1)
    high = tf.clip_by_value(tf.cast(tf.floor(end), tf.int32) + 1, 0, shape - 1)
    # One more pixel on each side: beyond the edges the picture continues with its last pixels.
    part = pixels[low[0] : high[0] + 1, low[1] : high[1] + 1]
    part = tf.pad(part, ((1, 1), (1, 1), (0, 0)), "SYMMETRIC")
    room = tf.cast(high - low + 2, tf.float64)
    box = tf.concat([(each - tf.cast(low, tf.float64) + 1) / room for each in (start, end)], axis=0)
    found = tf.image.crop_and_resize(part[None], tf.cast(box, tf.float32)[None], [0], size)
    return tf.cast(tf.round(found[0]), tf.uint8)


def nearest(raw: tf.Tensor, scaled: tf.Tensor, corner: tf.Tensor, size: tf.Tensor) -> tf.Tensor:
    """A part of a mask (H, W, 1) resized to the nearest pixels, as `cv2.resize` does it.

    Pixel x of the result is pixel floor(x * old / new) of the mask. Arguments as in `resized`.
    """
    for axis in (0, 1):
        old = tf.shape(raw)[axis]
        places = tf.cast(corner[axis] + tf.range(size[axis]), tf.float64)
        step = 1 / (tf.cast(scaled[axis], tf.float64) / tf.cast(old, tf.float64))
        chosen = tf.minimum(tf.cast(tf.floor(places * step), tf.int32), old - 1)
        raw = tf.gather(raw, chosen, axis=axis)
    return raw


def brightened(levels: tf.Tensor, shift: tf.Tensor) -> tf.Tensor:
    """Grey levels (B, H, W, 3) moved by (B,), within 0..255; padding too, as in the original."""
    return tf.clip_by_value(levels + shift[:, None, None, None], 0.0, 255.0)
