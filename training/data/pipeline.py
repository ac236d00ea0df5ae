"""From records to batches: decode, augment, crop, encode, all inside the `tf.data` graph."""

import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
import tensorflow as tf
from keras import ops
from PIL import Image

from hrnet_tf import geometry
from hrnet_tf.training.data.coco import ImageFile, Record, clean_boxes
from hrnet_tf.training.recipe import Recipe

_to_stderr = partial(print, file=sys.stderr)


def batches(records: Sequence[Record], recipe: Recipe, augment: bool) -> tf.data.Dataset:
    """Batches that plain `fit` understands: crops, heat maps, weights.

    With `augment`, every pass over the data is shuffled and drawn anew; the same seed gives the
    same sequence of passes.

    Args:
        records: persons with at least one labelled keypoint, in readable files.
        recipe: sizes, codec, augmentation, batch size and seed.
        augment: as for training; otherwise the plain crops in the order of the records.

    Returns:
        A data set of `(crops, heatmaps, weights)`: normalised crops `(B, H, W, 3)`, targets
        `(B, H/4, W/4, K)` and their squared weights `(B, 1, 1, K)` for `JointMSE`.
    """
    rows = _arrays(records, recipe)
    count = len(rows["path"])
    people = tf.data.Dataset.from_tensor_slices(rows)
    if augment:
        people = people.shuffle(count, recipe.seed, reshuffle_each_iteration=True)
    numbers = tf.data.Dataset.random(recipe.seed, rerandomize_each_iteration=True)
    # Small operations cost more than their arithmetic: what can be is done for a whole batch.
    data = tf.data.Dataset.zip(people.batch(recipe.batch_size), numbers)
    data = data.map(partial(_place, recipe=recipe, augment=augment)).unbatch()
    data = data.map(partial(_crop, recipe=recipe), tf.data.AUTOTUNE).batch(recipe.batch_size)
    data = data.map(partial(_encode, recipe=recipe)).prefetch(tf.data.AUTOTUNE)
    # `fit` cannot count what has been unbatched.
    return data.apply(tf.data.experimental.assert_cardinality(-(-count // recipe.batch_size)))


def readable(records: Sequence[Record], report: Callable[[str], None] = _to_stderr) -> list[Record]:
    """Leaves out persons in images that cannot be decoded; one line to `report` for each image."""
    images = list({record.image.id: record.image for record in records}.values())
    with ThreadPoolExecutor() as pool:
        reasons = dict(zip((i.id for i in images), pool.map(_flaw, images), strict=True))
    for image in images:
        if reasons[image.id]:
            report(f"{image.path} is left out: {reasons[image.id]}.")
    return [record for record in records if not reasons[record.image.id]]


def _flaw(image: ImageFile) -> str:
    """Why an image cannot be trained on; empty if it can."""
    try:
        with Image.open(image.path) as picture:
            picture.load()
            if picture.format not in ("JPEG", "PNG"):
                return f"it is {picture.format}, not JPEG or PNG"
            if picture.size != image.size[::-1]:
                return f"it is {picture.size} wide and high, its annotation says {image.size[::-1]}"
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        return f"it cannot be decoded ({error})"
    return ""


def _arrays(records: Sequence[Record], recipe: Recipe) -> dict[str, np.ndarray]:
    """What differs between persons, as arrays with one row each."""
    boxes = np.array([record.box for record in records])
    areas = np.array([record.area for record in records])
    sizes = np.array([record.image.size for record in records])
    boxes, keep = clean_boxes(boxes, areas, sizes)
    height, width = recipe.input_size
    centers, scales = geometry.center_scale(boxes[keep], width / height, recipe.padding)
    return {
        "path": np.array([str(record.image.path) for record in records])[keep],
        "width": sizes[keep, 1].astype(np.float32),
        "center": ops.convert_to_numpy(centers),
        "scale": ops.convert_to_numpy(scales),
        "keypoints": np.array([record.keypoints for record in records], np.float32)[keep],
    }


def _place(people: dict, number: tf.Tensor, recipe: Recipe, augment: bool) -> dict:
    """Decides on crops for rows of `_arrays`: matrices (B, 2, 3) and the keypoints in them."""
    center, scale, keypoints = people["center"], people["scale"], people["keypoints"]
    count = tf.shape(center)[0]
    zoom, angle, mirrored = tf.ones(count), tf.zeros(count), tf.zeros(count, bool)
    if augment:
        zoom, angle, mirrored = _draw(number, count, recipe)
    # Mirroring takes x to width - 1 - x and changes the names of left and right.
    sign, offset = tf.where(mirrored, -1.0, 1.0), tf.where(mirrored, people["width"] - 1, 0.0)
    center = tf.stack((sign * center[:, 0] + offset, center[:, 1]), axis=1)
    swapped = tf.gather(keypoints, recipe.card.flip_index, axis=1)
    keypoints = tf.where(mirrored[:, None, None], swapped, keypoints)
    matrices = geometry.affine(
        center, scale * zoom[:, None], recipe.input_size, angle, recipe.codec.aligned
    )
    # The images stay as they are: the matrices mirror, too.
    a, b, shift = tf.unstack(matrices, axis=2)
    matrices = tf.stack((a * sign[:, None], b, shift + a * offset[:, None]), axis=2)
    return {
        "path": people["path"],
        "matrix": matrices,
        "points": geometry.transform(keypoints[..., :2], matrices),
        "visible": tf.cast(keypoints[..., 2] > 0, tf.float32),
    }


def _draw(number: tf.Tensor, count: tf.Tensor, recipe: Recipe) -> tuple:
    """Random scale, rotation in degrees and mirror (B,) with the original's distributions."""
    # Half-body crops replace centre and scale before any of these.
    seeds = tf.random.split(tf.stack((tf.cast(recipe.seed, tf.int64), number)), 2)
    size, angle = tf.unstack(tf.random.stateless_normal((2, count), seeds[0]))
    turn, mirror = tf.unstack(tf.random.stateless_uniform((2, count), seeds[1]))
    factor = recipe.scale_factor
    zoom = tf.clip_by_value(1 + factor * size, 1 - factor, 1 + factor)
    factor = recipe.rotation_factor
    angle = tf.clip_by_value(factor * angle, -2 * factor, 2 * factor)
    angle = tf.where(turn < recipe.rotation_probability, angle, 0.0)
    return zoom, angle, mirror < recipe.flip_probability


def _crop(person: dict, recipe: Recipe) -> dict:
    """Adds the crop (H, W, 3) in grey levels to one row of `_place`."""
    # The decoder reads PNG, too; only this method equals what libjpeg does elsewhere.
    image = tf.io.decode_jpeg(
        tf.io.read_file(person["path"]), channels=3, dct_method="INTEGER_ACCURATE"
    )
    crop = geometry.crop(image, person["matrix"][None], recipe.input_size)[0]
    return {"crop": crop, "points": person["points"], "visible": person["visible"]}


def _encode(batch: dict, recipe: Recipe) -> tuple:
    heatmaps, weights = recipe.codec.encode(batch["points"], batch["visible"], recipe.input_size)
    return recipe.card.normalize(batch["crop"]), heatmaps, tf.square(weights)[:, None, None, :]
