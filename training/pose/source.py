"""The people on whom a run is trained and evaluated."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from hrnet_tf.training.data.sources import Report, to_stderr
from hrnet_tf.training.evaluate import Evaluator
from hrnet_tf.training.pose.batches import readable
from hrnet_tf.training.pose.evaluator import evaluator
from hrnet_tf.training.pose.options import PoseScoring
from hrnet_tf.training.pose.people import People, check_reach, images
from hrnet_tf.training.pose.point_evaluators import truth_beside
from hrnet_tf.training.pose.readers import Annotations, read, to_train_on
from hrnet_tf.training.pose.readers.coco import Record
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
        found = read(recipe.data_format, recipe.train_annotations, recipe.train_images)
        return images(people_for(recipe, found))
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
    found, lines = _read_held_out(recipe)
    # The evaluator's reports are dropped, since `people_for` gives the same ones.
    judge = evaluator(recipe.card, scored(recipe), lambda line: None, found)
    for line in lines:
        to_stderr(line)
    return images(people_for(recipe, found)), judge


def held_out_people(recipe: PoseRecipe) -> list[Record]:
    """The people on whom a run is evaluated, for pictures; raises as `held_out`."""
    return people_for(recipe, _read_held_out(recipe)[0], lambda line: None)


def scored(recipe: PoseRecipe) -> PoseScoring:
    """The data and settings of a run's evaluations."""
    return PoseScoring(
        recipe.val_annotations,
        recipe.val_images,
        data_format=recipe.data_format,
        protocol=recipe.protocol,
    )


def people_for(recipe: PoseRecipe, found: Annotations, report: Report = to_stderr) -> list[Record]:
    """The people of a file to train on; `report` receives a line for each unusable record.

    Raises:
        ValueError: there is nobody, or people have other keypoints than the recipe.
    """
    people = readable(to_train_on(found.everyone, found.data_format, report), report)
    _check_people(recipe, [person.keypoints for person in people], found.path)
    return people


def check(recipe: PoseRecipe) -> None:
    """Raises ValueError if an evaluation on MPII would not find the ground truth."""
    if recipe.data_format == "mpii" and recipe.val_annotations and recipe.evaluate_every:
        truth_beside(Path(recipe.val_annotations))


def _read_held_out(recipe: PoseRecipe) -> tuple[Annotations, list[str]]:
    lines = []
    files = recipe.val_annotations, recipe.val_images
    return read(recipe.data_format, *files, lines.append), lines


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
