"""Makes batches from images with objects: inputs and targets, all in the `tf.data` graph."""

from functools import partial

import numpy as np
import tensorflow as tf

from hrnet_tf.tasks.detection.anchors import points
from hrnet_tf.training.data.batching import Share, Steps, load_items, make_batches
from hrnet_tf.training.data.colors import recolor
from hrnet_tf.training.data.crops import bytes_of, crop, decode
from hrnet_tf.training.detection import augment as augmentation
from hrnet_tf.training.detection.assign import centerness, points_targets, ranges
from hrnet_tf.training.detection.pictures import Pictures
from hrnet_tf.training.detection.pool import packed
from hrnet_tf.training.detection.readers import LEAST_SIDE
from hrnet_tf.training.detection.recipe import DetectionRecipe
from hrnet_tf.training.detection.runs import decoded

VIEW = ("scaled", "corner", "color", "seed")  # what `_finish` needs of a row


def batches(
    source: Pictures,
    recipe: DetectionRecipe,
    augment: bool,
    first_step: int = 0,
    parts: int = 1,
    first_part: int = 0,
    local_parts: int = 1,
) -> tf.data.Dataset:
    """A data set for `fit`: inputs, targets, weights. `training.data.batching` explains batches.

    All shapes are static. Images lie in the top left corner of inputs that are otherwise 0; objects
    are padded with boxes of 0 to M, the highest number of an image of `source`.

    Args:
        source: the images.
        recipe: has sizes, augmentation, batch size and seed.
        augment: whether views are random, as for training; without, it is one pass in order.
        first_step: the number of the first batch.
        parts: number of equal parts into which each batch is cut, one for each device.
        first_part: the first of these parts that the data set yields.
        local_parts: number of parts of each batch that it yields, one after the other.

    Returns:
        A data set of `(inputs, targets, weights)`. Inputs are normalised images `(B, H, W, 3)`, for
        heads with regions as "image" beside the objects as "boxes". Targets are "objects"
        `(B, M, 4)` x1 y1 x2 y2 in pixels, "classes" `(B, M)` int32, "size" `(B, 2)`, height and
        width of the images in their inputs, and "seed" `(B, 2)`; for FCOS also "point_classes"
        `(B, N)`, "distances" `(B, N, 4)` and "centerness" `(B, N)` of all points, for heads with
        masks "masks" `(B, M, H, W / 8)` uint8 bits and "masked" `(B, M)`, which objects have one.
        Weights `(B,)` are 1 for each image that was read.

    Raises:
        ValueError: `source` is empty, or the batch size is no multiple of `parts`.
    """
    return make_batches(
        source.rows,
        Steps(recipe.batch_size, recipe.seed, augment, first_step),
        Share(parts, first_part, local_parts),
        partial(_plan, recipe=recipe, augment=augment),
        partial(_load, source=source, recipe=recipe),
        partial(_finish, recipe=recipe),
    )


def fcos_points(size: tuple[int, int], levels: int = 5) -> tuple[np.ndarray, np.ndarray]:
    """The points (N, 2) of FCOS for an input of (height, width), and the ranges (N, 2) of each."""
    found, limits = [], []
    for i, each in enumerate(ranges(levels)):
        height, width = ((side // 4 // 2**i + 1) // 2 for side in size)
        found.append(points(height, width, 8 * 2**i))
        limits.append(np.tile(np.float32(each), (height * width, 1)))
    return np.concatenate(found), np.concatenate(limits)


def _plan(rows: dict, step: tf.Tensor, recipe: DetectionRecipe, augment: bool) -> dict:
    return {**rows, **augmentation.draw(rows["size"], step, recipe, augment)}


def _load(chunk: dict, source: Pictures, recipe: DetectionRecipe) -> dict:
    """Reads the views of a chunk and the objects in them."""
    size, masks, most = recipe.input_size, recipe.card.masks, source.most
    blank = {
        "levels": tf.zeros(size, tf.uint32),
        "objects": tf.zeros((most, 4)),
        "classes": tf.zeros(most, tf.int32),
    }
    if masks:
        blank["masks"] = tf.zeros((most, size[0], size[1] // 8), tf.uint8)
        blank["masked"] = tf.zeros(most, bool)

    def read(row):
        content, boxes, classes, runs = source.load(row)
        whole = tf.concat([tf.zeros(2, tf.int32), row["size"]], axis=0)
        pixels, corner = decode(content, row["size"], whole)
        levels = crop(pixels, corner, augmentation.inverse(row), size, continued=True)
        boxes = augmentation.moved(boxes, row, _shown(row, size))
        there = tf.reduce_min(boxes[:, 2:] - boxes[:, :2], axis=1) >= LEAST_SIDE
        boxes, classes, runs = (tf.boolean_mask(each, there) for each in (boxes, classes, runs))
        more = most - tf.shape(boxes)[0]
        found = {
            "levels": levels,
            "objects": tf.pad(boxes, ((0, more), (0, 0))),
            "classes": tf.pad(classes, ((0, more),)),
        }
        if masks:

            def bits(text):
                mask = augmentation.resampled(*decoded(text, row["size"]), row, size)
                return packed(tf.ensure_shape(mask, size))

            drawn = tf.map_fn(bits, runs, fn_output_signature=tf.uint8)
            drawn = tf.reshape(drawn, (-1, size[0], size[1] // 8))
            found["masks"] = tf.pad(drawn, ((0, more), (0, 0), (0, 0)))
            found["masked"] = tf.pad(tf.strings.length(runs) > 0, ((0, more),))
        return {key: tf.ensure_shape(x, blank[key].shape) for key, x in found.items()}

    found, seen = load_items(chunk, read, blank)
    return {name: chunk[name] for name in VIEW} | found | {"seen": seen}


def _shown(row, size):
    """Height and width (…, 2) of the image in its view."""
    return tf.minimum(row["scaled"] - row["corner"], tf.constant(size))


def _finish(batch: dict, recipe: DetectionRecipe) -> tuple:
    """Network inputs, targets and weights from views."""
    levels = tf.cast(bytes_of(batch["levels"]), tf.float32)
    shown = _shown(batch, recipe.input_size)
    if recipe.color_jitter:
        levels = recolor(levels, batch["color"])
    image = recipe.card.normalize(levels)
    rows = tf.range(recipe.input_size[0])[None, :, None] < shown[:, :1, None]
    columns = tf.range(recipe.input_size[1])[None, None] < shown[:, 1:, None]
    image = tf.where((rows & columns)[..., None], image, 0.0)
    names = ("objects", "classes", "seed", "masks", "masked")
    targets = {name: batch[name] for name in names if name in batch}
    targets["size"] = shown
    inputs = {"image": image, "boxes": batch["objects"]}
    if not recipe.card.stages:
        inputs, targets = image, targets | _point_targets(batch, recipe)
    return inputs, targets, batch["seen"]


def _point_targets(batch, recipe):
    found = fcos_points(recipe.input_size, len(recipe.card.levels))
    where, limits = (tf.constant(each) for each in found)

    def one(row):
        return points_targets(row[0], row[1], where, limits, len(recipe.classes))

    signature = (tf.int32, tf.float32)
    found = tf.map_fn(one, (batch["objects"], batch["classes"]), fn_output_signature=signature)
    classes, distances = found
    central = centerness(distances)
    return {"point_classes": classes, "distances": distances, "centerness": central}
