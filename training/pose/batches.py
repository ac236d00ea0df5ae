"""Makes batches from people: augmentation, crops and targets, all in the `tf.data` graph."""

import math
import sys
from collections.abc import Sequence
from functools import partial

import tensorflow as tf

from hrnet_tf.tasks.pose import geometry
from hrnet_tf.training.data import crops
from hrnet_tf.training.data.order import in_order, shuffled, steps_per_epoch
from hrnet_tf.training.pose import augment as augmentation
from hrnet_tf.training.pose.people import People, check_reach, images, regions
from hrnet_tf.training.pose.readers.coco import Record
from hrnet_tf.training.pose.recipe import PoseRecipe

CHUNK = 32  # one thread crops at most so many people at a time


def batches(
    source: Sequence[Record] | People,
    recipe: PoseRecipe,
    augment: bool,
    first_step: int = 0,
    parts: int = 1,
    first_part: int = 0,
    local_parts: int = 1,
) -> tf.data.Dataset:
    """A data set for `fit`: crops, heat maps, weights.

    With `augment`, the data set is endless and depends on the seed and the step alone: it repeats
    passes over all people in random order, and a batch may contain people of two passes. A run can
    therefore resume at any step with the same batches, without decoding earlier ones. Without
    `augment`, the data set is one pass over unaugmented crops in the order of `source`.

    A file that cannot be read does not end a run: its person becomes an empty crop of weight 0,
    and a line on stderr says so.

    Args:
        source: persons with at least one labelled keypoint, as records or from TFRecords.
        recipe: has sizes, codec, augmentation, batch size and seed.
        augment: whether crops are augmented, as for training.
        first_step: the number of the first batch.
        parts: number of equal parts into which each batch is cut, one for each device.
        first_part: the first of these parts that the data set yields.
        local_parts: number of parts of each batch that it yields, one after the other.

    Returns:
        A data set of `(crops, heatmaps, weights)`: normalised crops `(B, H, W, 3)`, targets
        `(B, H/4, W/4, K)` and their squared weights `(B, 1, 1, K)` for `JointMSE`.

    Raises:
        ValueError: `source` is empty or lacks pixels that the recipe's crops need, or the batch
            size is no multiple of `parts`.
    """
    people = source if isinstance(source, People) else images(source)
    if not len(people):
        raise ValueError("`source` must hold somebody. Received: no people.")
    if not augment and parts != 1:
        raise ValueError(
            f"Only batches with `augment` can be cut into parts. Received: parts={parts}."
        )
    if recipe.batch_size % parts:
        raise ValueError(
            f"`batch_size` must be a multiple of the number of devices, {parts}. "
            f"Received: batch_size={recipe.batch_size}."
        )
    check_reach(people, recipe)
    last_step = tf.int64.max if augment else steps_per_epoch(len(people), recipe.batch_size)
    share = recipe.batch_size // parts
    own = slice(first_part * share, (first_part + local_parts) * share)
    chunk = math.gcd(share, CHUNK)
    rows = {name: tf.constant(values) for name, values in people.rows.items()}
    rows["center"], rows["scale"] = map(tf.constant, regions(rows.pop("box"), recipe))

    def plan(step):
        """The crops of a step, in chunks of one thread: dict of arrays (chunks, people, ...)."""
        where = (step, len(people), recipe.batch_size)
        chosen = shuffled(*where, recipe.seed) if augment else in_order(*where)
        views = _views({k: tf.gather(v, chosen) for k, v in rows.items()}, step, recipe, augment)
        return {k: tf.reshape(v[own], (-1, chunk, *v.shape[1:])) for k, v in views.items()}

    data = tf.data.Dataset.range(first_step, last_step).map(plan).unbatch()
    data = data.map(partial(_load, people=people, recipe=recipe), tf.data.AUTOTUNE)
    # Starting an operation costs more than its arithmetic on one crop, so `finish` takes batches.
    finish = tf.function(partial(_finish, recipe=recipe), jit_compile=True, autograph=False)
    data = data.batch(share // chunk, drop_remainder=True).map(finish)
    if augment:
        count = tf.data.INFINITE_CARDINALITY
    else:
        count = last_step - first_step
        # The last batch was filled with copies of the last person, which are removed here.
        data = data.enumerate(first_step).map(
            lambda step, batch: [part[: len(people) - step * share] for part in batch]
        )
    data = data.apply(tf.data.experimental.assert_cardinality(count))  # lost by `unbatch`
    return data.prefetch(tf.data.AUTOTUNE)


def _views(rows: dict, step: tf.Tensor, recipe: PoseRecipe, augment: bool) -> dict:
    """Places the crops of a batch of people; returns their matrices, windows and keypoints."""
    center, scale, keypoints = rows.pop("center"), rows.pop("scale"), rows.pop("keypoints")
    count, width = recipe.batch_size, tf.cast(rows["size"][:, 1], tf.float32)
    view = {
        "center": center,
        "scale": scale,
        "angle": tf.zeros(count),
        "mirrored": tf.zeros(count, bool),
        "color": tf.ones((count, 3)),
        "hole": tf.zeros((count, 4)),
    }
    if augment:
        view = augmentation.draw(center, scale, keypoints, step, recipe)
    mirrored = view["mirrored"]
    # Mirroring takes x to width - 1 - x and changes the names of left and right.
    sign, offset = tf.where(mirrored, -1.0, 1.0), tf.where(mirrored, width - 1, 0.0)
    center = tf.stack((sign * view["center"][:, 0] + offset, view["center"][:, 1]), axis=1)
    swapped = tf.gather(keypoints, recipe.card.flip_index, axis=1)
    keypoints = tf.where(mirrored[:, None, None], swapped, keypoints)
    matrices = geometry.affine(
        center, view["scale"], recipe.input_size, view["angle"], recipe.codec.aligned
    )
    # Images are not mirrored themselves; the matrices include the mirroring.
    a, b, shift = tf.unstack(matrices, axis=2)
    matrices = tf.stack((a * sign[:, None], b, shift + a * offset[:, None]), axis=2)
    inverse = tf.reshape(geometry.invert(matrices), (count, 6))
    return {
        **rows,
        "inverse": inverse,
        "window": crops.window(inverse, recipe.input_size, rows.pop("bounds")),
        "points": geometry.transform(keypoints[..., :2], matrices),
        "visible": tf.cast(keypoints[..., 2] > 0, tf.float32),
        "color": view["color"],
        "hole": view["hole"],
    }


def _load(chunk: dict, people: People, recipe: PoseRecipe) -> dict:
    """Crops the people of a chunk; people whose pixels cannot be read get the weight 0."""

    def crop(number, row):
        pixels, corner = people.load(row, row["window"])
        return number, crops.crop(pixels, corner, row["inverse"], recipe.input_size)

    count = chunk["name"].shape[0]
    rest = {name: chunk[name] for name in ("points", "visible", "color", "hole")}
    rows = {name: values for name, values in chunk.items() if name not in rest}
    # `enumerate` would take a fifth of the time of all steps after the decoding.
    numbered = tf.data.Dataset.from_tensor_slices((tf.range(count), rows))
    found = numbered.map(crop).ignore_errors()
    blank = tf.data.Dataset.from_tensors((count, tf.zeros(recipe.input_size, tf.uint32)))
    numbers, pixels = found.concatenate(blank).batch(count + 1).get_single_element()
    seen = tf.scatter_nd(numbers[:, None], tf.ones_like(numbers, tf.float32), [count + 1])[:count]

    def complete():
        return pixels[:count]

    def incomplete():
        tf.print(
            "Left out of a batch, since they cannot be read:",
            tf.strings.reduce_join(tf.boolean_mask(rows["name"], seen == 0), separator=", "),
            output_stream=sys.stderr,
        )
        return tf.scatter_nd(numbers[:, None], pixels, [count + 1, *recipe.input_size])[:count]

    shown = tf.cond(tf.reduce_all(seen == 1), complete, incomplete)
    return rest | {"pixels": shown, "visible": rest["visible"] * seen[:, None]}


def _finish(batch: dict, recipe: PoseRecipe) -> tuple:
    """Network inputs, targets and weights from chunks of crops."""
    batch = {name: tf.reshape(v, (-1, *v.shape[2:])) for name, v in batch.items()}
    shifted = tf.bitwise.right_shift(batch["pixels"][..., None], tf.constant((0, 8, 16), tf.uint32))
    levels = tf.cast(tf.cast(shifted & 255, tf.int32), tf.float32)
    if recipe.color_jitter:
        levels = augmentation.recolor(levels, batch["color"])
    if recipe.cutout_probability:
        levels = augmentation.cut_out(levels, batch["hole"])
    heatmaps, weights = recipe.codec.encode(batch["points"], batch["visible"], recipe.input_size)
    return recipe.card.normalize(levels), heatmaps, tf.square(weights)[:, None, None, :]
