"""Makes batches from pictures with masks: crops and classes, all in the `tf.data` graph."""

from functools import partial

import tensorflow as tf

from hrnet_tf.labels.label_values import IGNORED
from hrnet_tf.training.data.batching import Share, Steps, load_items, make_batches
from hrnet_tf.training.segmentation import augment as augmentation
from hrnet_tf.training.segmentation.pictures import Pictures, decode
from hrnet_tf.training.segmentation.recipe import SegmentationRecipe

VIEW = ("scaled", "corner", "mirrored", "shift", "color")  # what `finished` needs of a row


def batches(
    source: Pictures,
    recipe: SegmentationRecipe,
    augment: bool,
    first_step: int = 0,
    parts: int = 1,
    first_part: int = 0,
    local_parts: int = 1,
) -> tf.data.Dataset:
    """A data set for `fit`: crops, classes, weights.

    With `augment`, it is endless and depends on the seed and the step alone; without, it is one
    pass over the middles of the pictures at scale 1. `training.data.batching` explains both.

    A picture that cannot be read, or whose mask has a number that no class has, does not end a run:
    its crop has no classes, and a line on stderr names it.

    Args:
        source: the pictures.
        recipe: has sizes, augmentation, batch size and seed.
        augment: whether crops are augmented, as for training.
        first_step: the number of the first batch.
        parts: number of equal parts into which each batch is cut, one for each device.
        first_part: the first of these parts that the data set yields.
        local_parts: number of parts of each batch that it yields, one after the other.

    Returns:
        A data set of `(crops, classes, weights)`: normalised crops `(B, H, W, 3)`, classes
        `(B, H, W)` uint8, 255 where there is none, and 1 for each picture that was read `(B,)`.
        For the head "ocr", classes and weights are dicts with the outputs "aux" and "logits".

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


def _plan(rows: dict, step: tf.Tensor, recipe: SegmentationRecipe, augment: bool) -> dict:
    """Places the crops of a batch of pictures."""
    size = rows["size"]
    view = augmentation.draw(size, step, recipe) if augment else augmentation.plain(size)
    first, scaled = augmentation.sizes(size, view.pop("scale"), recipe)
    corner = augmentation.places(view.pop("place"), scaled, recipe.input_size)
    return {**rows, **view, "first": first, "scaled": scaled, "corner": corner}


def _load(chunk: dict, source: Pictures, recipe: SegmentationRecipe) -> dict:
    """Reads the crops of a chunk, as `augment.view` returns them."""

    def read(row):
        pixels, classes = decode(*source.load(row), row["size"], source.meaning)
        return augmentation.view(pixels, classes, row, recipe)

    crops, seen = load_items(chunk, read, tf.zeros(recipe.input_size, tf.uint32))
    return {name: chunk[name] for name in VIEW} | {"crops": crops, "seen": seen}


def _finish(batch: dict, recipe: SegmentationRecipe) -> tuple:
    """Network inputs, targets and weights from crops."""
    levels, classes = augmentation.finished(batch["crops"], batch, recipe)
    if recipe.classes.flip_pairs:
        swapped = tf.gather(tf.constant(_swap(recipe), tf.int32), classes)
        classes = tf.where(batch["mirrored"][:, None, None], swapped, classes)
    classes = tf.where(batch["seen"][:, None, None] > 0, classes, IGNORED)
    targets, weights = tf.cast(classes, tf.uint8), batch["seen"]
    if recipe.head == "ocr":
        names = ("aux", "logits")
        targets, weights = dict.fromkeys(names, targets), dict.fromkeys(names, weights)
    return recipe.card.normalize(levels), targets, weights


def _swap(recipe: SegmentationRecipe) -> list[int]:
    """For each number of a byte, the class that it becomes in a mirrored picture."""
    index = recipe.card.flip_index
    return [*index, *range(len(index), IGNORED + 1)]
