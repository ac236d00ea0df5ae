"""The people on whom a run is trained and evaluated."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from hrnet_tf.tasks.pose.predictor import NO_PAIRS
from hrnet_tf.training.data.sources import Report, to_stderr
from hrnet_tf.training.evaluate import Evaluator
from hrnet_tf.training.pose.evaluator import evaluator, read_scored
from hrnet_tf.training.pose.options import PoseScoring
from hrnet_tf.training.pose.people import People, check_reach, images
from hrnet_tf.training.pose.point_evaluators import truth_beside
from hrnet_tf.training.pose.readers import Annotations, check_names, read, to_train_on, usable
from hrnet_tf.training.pose.readers.coco import Record
from hrnet_tf.training.pose.readers.doubts import doubts
from hrnet_tf.training.pose.recipe import PoseRecipe
from hrnet_tf.training.pose.records import read_people


def training_people(recipe: PoseRecipe) -> People:
    """The people to train on: a source for `batches`.

    Raises:
        OSError: there is no such file or folder.
        ValueError: there is nobody, people have other keypoints than the recipe, or TFRecords lack
            shards or pixels.
    """
    if not recipe.train_records:
        return images(people_for(recipe, read_people_of(recipe)))
    people = read_people(recipe.train_records)
    _check_people(recipe, people.rows["keypoints"], recipe.train_records)
    check_reach(people, recipe)
    return people


def held_out(recipe: PoseRecipe) -> tuple[People, Evaluator]:
    """The people for the validation loss, and the evaluator of the run; reads the file once.

    Raises:
        FileNotFoundError: there is no such file or folder.
        ValueError: there is nobody, or people have other keypoints than the recipe.
    """
    found = read_scored(recipe.card, scored(recipe), to_stderr)
    judge = evaluator(recipe.card, scored(recipe), lambda line: None, found)
    # The evaluator's reports are dropped, since `trained` gives the same ones.
    return images(trained(recipe, found)), judge


def held_out_people(recipe: PoseRecipe) -> list[Record]:
    """The people on whom a run is evaluated, for pictures; raises as `held_out`."""
    return trained(recipe, read_scored(recipe.card, scored(recipe), _drop), _drop)


def scored(recipe: PoseRecipe) -> PoseScoring:
    """The data and settings of a run's evaluations."""
    return PoseScoring(
        recipe.val_annotations,
        recipe.val_images,
        data_format=recipe.data_format,
        category=recipe.category or None,
        protocol=recipe.protocol,
    )


def read_people_of(recipe: PoseRecipe, report: Report = to_stderr) -> Annotations:
    """The training annotations of a recipe; raises as `readers.read`."""
    files = recipe.train_annotations, recipe.train_images
    return read(recipe.data_format, *files, report, recipe.keypoints, recipe.category)


def people_for(recipe: PoseRecipe, found: Annotations, report: Report = to_stderr) -> list[Record]:
    """The people of a file to train on; `report` receives a line for each unusable record.

    Raises:
        ValueError: there is nobody, or people have other keypoints than the recipe, or in another
            order.
    """
    check_names(found, recipe.keypoints, report)
    found = usable(found, report)
    for line in doubts(found, recipe.keypoints):
        report(line)
    return trained(recipe, found, report)


def trained(recipe: PoseRecipe, found: Annotations, report: Report = to_stderr) -> list[Record]:
    """The people to train on of annotations whose images are `usable`; see `people_for`."""
    people = to_train_on(found.everyone, found.data_format, report)
    _check_people(recipe, [person.keypoints for person in people], found.path)
    return people


def check(recipe: PoseRecipe) -> None:
    """Says if nothing can be mirrored.

    Raises:
        ValueError: an evaluation on MPII would not find the ground truth.
    """
    if recipe.data_format == "mpii" and recipe.val_annotations and recipe.evaluate_every:
        truth_beside(Path(recipe.val_annotations))
    if recipe.flip_probability and not recipe.keypoints.flip_pairs:
        to_stderr(NO_PAIRS % "mirrored; `flip_pairs` in the keypoint file tell")


def _drop(line: str) -> None:
    """A report that nobody reads."""


def _check_people(recipe: PoseRecipe, keypoints: Sequence[np.ndarray], source: str | Path) -> None:
    if not len(keypoints):
        raise ValueError(
            f"{source} has nobody to train on: no person with labels in a readable image."
        )
    found, wanted = len(keypoints[0]), len(recipe.keypoints.names)
    if found != wanted:
        raise ValueError(
            f"{source} has {found} keypoints per person, the recipe's set has {wanted}. "
            "Override `keypoints`."
        )
