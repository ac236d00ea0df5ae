"""Makes batches from people: augmentation, crops and targets, all in the `tf.data` graph."""

from collections.abc import Sequence
from functools import partial

import tensorflow as tf

from hrnet_tf.tasks.pose import geometry
from hrnet_tf.training.data import crops
from hrnet_tf.training.data.batching import Share, Steps, load_items, make_batches
from hrnet_tf.training.data.colors import recolor
from hrnet_tf.training.pose import augment as augmentation
from hrnet_tf.training.pose.people import People, check_reach, images, regions
from hrnet_tf.training.pose.readers.coco import Record
from hrnet_tf.training.pose.recipe import PoseRecipe


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
    check_reach(people, recipe)
    rows = dict(people.rows)
    rows["center"], rows["scale"] = regions(rows.pop("box"), recipe)
    return make_batches(
        rows,
        Steps(recipe.batch_size, recipe.seed, augment, first_step),
        Share(parts, first_part, local_parts),
        partial(_views, recipe=recipe, augment=augment),
        partial(_load, people=people, recipe=recipe),
        partial(_finish, recipe=recipe),
    )


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

    def crop(row):
        pixels, corner = people.load(row, row["window"])
        return crops.crop(pixels, corner, row["inverse"], recipe.input_size)

    rest = {name: chunk[name] for name in ("points", "visible", "color", "hole")}
    rows = {name: values for name, values in chunk.items() if name not in rest}
    shown, seen = load_items(rows, crop, tf.zeros(recipe.input_size, tf.uint32))
    return rest | {"pixels": shown, "visible": rest["visible"] * seen[:, None]}


def _finish(batch: dict, recipe: PoseRecipe) -> tuple:
    """Network inputs, targets and weights from chunks of crops."""
    levels = tf.cast(crops.bytes_of(batch["pixels"]), tf.float32)
    if recipe.color_jitter:
        levels = recolor(levels, batch["color"])
    if recipe.cutout_probability:
        levels = augmentation.cut_out(levels, batch["hole"])
    heatmaps, weights = recipe.codec.encode(batch["points"], batch["visible"], recipe.input_size)
    return recipe.card.normalize(levels), heatmaps, tf.square(weights)[:, None, None, :]
