"""Makes batches from pictures: crops and their classes, all in the `tf.data` graph."""

from functools import partial

import tensorflow as tf

from hrnet_tf.media.graph.pillow import resize
from hrnet_tf.training.classification.augment import draw, random_box
from hrnet_tf.training.classification.pictures import Pictures
from hrnet_tf.training.classification.recipe import ClassificationRecipe
from hrnet_tf.training.data import crops
from hrnet_tf.training.data.batching import Share, Steps, load_items, make_batches
from hrnet_tf.training.data.colors import recolor


def batches(
    source: Pictures,
    recipe: ClassificationRecipe,
    augment: bool,
    first_step: int = 0,
    parts: int = 1,
    first_part: int = 0,
    local_parts: int = 1,
) -> tf.data.Dataset:
    """A data set for `fit`: crops, numbers of classes, weights.

    With `augment`, the data set is endless and depends on the seed and the step alone; see
    `training.data.batching`. Without, it is one pass over the middles of the pictures, cut as
    `ImageClassifier` does.

    A file that cannot be read does not end a run: it becomes an empty crop of weight 0, and a line
    on stderr says so.

    Args:
        source: the pictures.
        recipe: has sizes, augmentation, batch size and seed.
        augment: whether crops are augmented, as for training.
        first_step: the number of the first batch.
        parts: number of equal parts into which each batch is cut, one for each device.
        first_part: the first of these parts that the data set yields.
        local_parts: number of parts of each batch that it yields, one after the other.

    Returns:
        A data set of `(crops, labels, weights)`: normalised crops `(B, H, W, 3)`, int32 `(B,)`,
        and float32 `(B,)`.

    Raises:
        ValueError: `source` is empty, or the batch size is no multiple of `parts`.
    """
    return make_batches(
        source.rows,
        Steps(recipe.batch_size, recipe.seed, augment, first_step),
        Share(parts, first_part, local_parts),
        partial(_plan, recipe=recipe, augment=augment),
        partial(_load, source=source, recipe=recipe, augment=augment),
        partial(_finish, recipe=recipe, augment=augment),
    )


def _plan(rows: dict, step: tf.Tensor, recipe: ClassificationRecipe, augment: bool) -> dict:
    return rows | draw(recipe.batch_size, step, recipe) if augment else rows


def _load(
    chunk: dict, source: Pictures, recipe: ClassificationRecipe, augment: bool
) -> dict[str, tf.Tensor]:
    """Crops the pictures of a chunk; pictures that cannot be read get the weight 0."""

    def crop(row):
        content = source.read(row)
        size = crops.stored_size(content)
        if augment:
            box = random_box(size, row["box"], recipe.stretch)
            whole, corner = tf.constant(recipe.input_size), tf.zeros(2, tf.int32)
        else:
            box = tf.concat((tf.zeros(2, tf.int32), size), axis=0)
            whole, corner = _middle(size, recipe)
        window = tf.concat((box[:2], box[:2] + box[2:]), axis=0)
        pixels, start = crops.decode(content, size, window)
        top, left, bottom, right = tf.unstack(window - tf.tile(start, (2,)))
        pixels = pixels[top:bottom, left:right]
        mirrored = row["mirrored"] if augment else tf.constant(False)
        part = (corner, recipe.input_size)
        return resize(pixels, whole, *part, recipe.interpolation, mirrored)

    shown, seen = load_items(chunk, crop, tf.zeros((*recipe.input_size, 3), tf.uint8))
    rest = {name: chunk[name] for name in ("label", "color") if name in chunk}
    return rest | {"pixels": shown, "seen": seen}


def _middle(size: tf.Tensor, recipe: ClassificationRecipe) -> tuple[tf.Tensor, tf.Tensor]:
    """Size of the resized picture, and top and left of its middle; as `central_crop` has them."""
    have = tf.cast(size, tf.float64)
    least = [int(side / recipe.crop_fraction + 1e-6) for side in recipe.input_size]
    least = tf.constant(least, tf.float64)
    whole = tf.maximum(least, tf.floor(tf.reduce_max(least / have) * have + 1e-6))
    corner = tf.round((whole - tf.constant(recipe.input_size, tf.float64)) / 2)
    return tf.cast(whole, tf.int32), tf.cast(corner, tf.int32)


def _finish(batch: dict, recipe: ClassificationRecipe, augment: bool) -> tuple:
    """Network inputs, targets and weights."""
    levels = tf.cast(batch["pixels"], tf.float32)
    if augment and recipe.color_jitter:
        levels = recolor(levels, batch["color"])
    return recipe.card.normalize(levels), batch["label"], batch["seen"]
