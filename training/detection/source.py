"""The images on which a detector is trained and evaluated."""

import dataclasses

from hrnet_tf.training.data.coco_json import CocoFile
from hrnet_tf.training.data.sources import Report, to_stderr
from hrnet_tf.training.detection.annotations import read_annotations
from hrnet_tf.training.detection.evaluator import evaluator
from hrnet_tf.training.detection.options import DetectionScoring
from hrnet_tf.training.detection.pictures import Pictures, from_records
from hrnet_tf.training.detection.readers import Record, read
from hrnet_tf.training.detection.recipe import DetectionRecipe
from hrnet_tf.training.detection.records import read_pictures
from hrnet_tf.training.detection.truth import read_truth
from hrnet_tf.training.evaluate import Evaluator


def settle(recipe: DetectionRecipe) -> DetectionRecipe:
    """The recipe with names of classes: its own, or those of its annotations.

    Raises:
        OSError, ValueError: there are no such classes.
    """
    if recipe.classes:
        return recipe
    if recipe.train_records and not recipe.train_annotations:
        raise ValueError(
            "`classes` must be named if objects are in TFRecords alone. Received: "
            f"train_records={recipe.train_records}, no classes."
        )
    paths = recipe.train_annotations, recipe.train_images
    coco, _ = read_annotations(*paths, lambda line: None)
    truth = read_truth(coco, lambda line: None)
    ids = tuple(truth.category_ids)
    if not all(type(each) is int for each in ids):
        ids = tuple(range(1, len(ids) + 1))
    return dataclasses.replace(recipe, classes=tuple(truth.names), category_ids=ids)


def training_pictures(recipe: DetectionRecipe) -> Pictures:
    """The images to train on: a source for `batches`.

    Raises:
        OSError: there is no such file or folder.
        ValueError: no image can be used, or TFRecords lack shards or have other classes.
    """
    if recipe.train_records:
        return read_pictures(recipe.train_records, recipe.classes)
    records = read_of(recipe, "train")
    if recipe.card.masks and not any(mask for record in records for mask in record.masks):
        raise ValueError(
            "`head` must be one without masks, such as faster_rcnn, if no object has a mask. "
            f"Received: head={recipe.head}, train_annotations={recipe.train_annotations}."
        )
    return from_records(records)


def read_of(
    recipe: DetectionRecipe,
    use: str,
    report: Report = to_stderr,
    coco: CocoFile | None = None,
) -> tuple[Record, ...]:
    """The images of a recipe to "train" on or for "val"; as `readers.read`."""
    data = recipe.data(use)
    return read(data.annotations, data.images, recipe.card, report, coco, data.classes)


def held_out(recipe: DetectionRecipe) -> tuple[Pictures, Evaluator]:
    """The images for the validation loss, and the evaluator of the run."""
    coco, _ = read_annotations(recipe.val_annotations, recipe.val_images)
    judge = evaluator(recipe.card, scored(recipe), to_stderr, coco)
    # The evaluator has named what cannot be used.
    return from_records(read_of(recipe, "val", lambda line: None, coco)), judge


def scored(recipe: DetectionRecipe) -> DetectionScoring:
    """The data and settings of a run's evaluations."""
    return recipe.data("val")
