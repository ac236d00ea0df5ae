"""The pictures on which a run is trained and evaluated."""

import dataclasses

import numpy as np

from hrnet_tf.training.classification.evaluator import ClassificationEvaluator
from hrnet_tf.training.classification.options import ClassificationScoring
from hrnet_tf.training.classification.pictures import Pictures, held_out
from hrnet_tf.training.classification.readers import class_names, read
from hrnet_tf.training.classification.recipe import ClassificationRecipe
from hrnet_tf.training.classification.records import read_pictures, recorded_classes
from hrnet_tf.training.data.sources import Report, to_stderr


def settle(recipe: ClassificationRecipe) -> ClassificationRecipe:
    """The recipe with names of classes: its own, or those of its folders or TFRecords.

    Raises:
        OSError, ValueError: there are no such classes.
    """
    if recipe.classes:
        return recipe
    if recipe.train_records:
        return dataclasses.replace(recipe, classes=recorded_classes(recipe.train_records))
    if recipe.train_annotations:
        raise ValueError(
            "`classes` must be named if a list tells the classes of the pictures. Received: "
            f"train_annotations={recipe.train_annotations}, no classes. `--classes=imagenet`, or a "
            "file with a name in each line."
        )
    return dataclasses.replace(recipe, classes=class_names(recipe.train_images))


def training_pictures(recipe: ClassificationRecipe, report: Report = to_stderr) -> Pictures:
    """The pictures to train on: a source for `batches`.

    Raises:
        OSError: there is no such file or folder.
        ValueError: there is no picture, or TFRecords lack shards or have other classes.
    """
    if recipe.train_records:
        return read_pictures(recipe.train_records, recipe.classes)
    found = read(recipe.train_images, recipe.train_annotations, recipe.classes, report)
    for label, number in enumerate(np.bincount(found.rows["label"])):
        if number == 1:
            report(f"{recipe.classes[label]}: only one picture, too few to learn a class from.")
    if recipe.held_out and not recipe.val_images:
        found = found[~held_out(found, recipe.held_out)]
    return found


def held_out_pictures(
    recipe: ClassificationRecipe, report: Report = to_stderr
) -> tuple[Pictures, ClassificationEvaluator]:
    """The pictures for the validation loss, and the evaluator of the run; reads them once.

    Raises:
        OSError, ValueError: as `training_pictures`.
    """
    judge = ClassificationEvaluator(recipe.card, scored(recipe), report)
    return judge.pictures, judge


def scored(recipe: ClassificationRecipe) -> ClassificationScoring:
    """The data and settings of a run's evaluations."""
    if recipe.val_images:
        return ClassificationScoring(recipe.val_annotations, recipe.val_images)
    return ClassificationScoring(recipe.train_annotations, recipe.train_images, recipe.held_out)
