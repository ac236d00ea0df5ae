"""Whom a run is trained and judged on."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from hrnet_tf.training.evaluate import check
from hrnet_tf.training.pose.batches import readable
from hrnet_tf.training.pose.evaluator import truth_beside
from hrnet_tf.training.pose.people import People, check_reach, images
from hrnet_tf.training.pose.readers import FORMATS
from hrnet_tf.training.pose.readers.coco import Record
from hrnet_tf.training.pose.records import read_people
from hrnet_tf.training.recipe import Recipe
from hrnet_tf.weights.download import is_url


def training_people(recipe: Recipe) -> People:
    """Who is trained on: a source for `batches`.

    Raises:
        OSError: no such file or folder.
        ValueError: nobody there, people with other keypoints than the recipe's, or TFRecords that
            lack shards or pixels.
    """
    if not recipe.train_records:
        return images(_people(recipe, recipe.train_annotations, recipe.train_images))
    people = read_people(recipe.train_records)
    _check_people(recipe, people.rows["keypoints"], recipe.train_records)
    check_reach(people, recipe)
    return people


def validation_people(recipe: Recipe) -> list[Record]:
    """Who is judged on.

    Raises:
        FileNotFoundError: no such file or folder.
        ValueError: nobody there, or people with other keypoints than the recipe's.
    """
    check(
        recipe.card,
        recipe.val_annotations,
        recipe.val_images,
        recipe.protocol,
        recipe.data_format,
    )
    return _people(recipe, recipe.val_annotations, recipe.val_images)


def _people(recipe: Recipe, annotations: str, images_dir: str) -> list[Record]:
    people = readable(FORMATS[recipe.data_format](annotations, images_dir))
    _check_people(recipe, [person.keypoints for person in people], annotations)
    return people


def _check_people(recipe: Recipe, keypoints: Sequence[np.ndarray], source: str) -> None:
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


def check_files(recipe: Recipe) -> None:
    """Raises an OSError or ValueError for what a recipe needs and is not there, before the work."""
    files = {
        "train_annotations": "" if recipe.train_records else recipe.train_annotations,
        "val_annotations": recipe.val_annotations,
    }
    if Path(recipe.weights).suffix and not is_url(recipe.weights):
        files["weights"] = recipe.weights
    for name, path in files.items():
        if path and not Path(path).is_file():
            raise FileNotFoundError(f"`{name}` must be a file. Received: {name}={path}.")
    if recipe.data_format == "mpii" and recipe.val_annotations and recipe.evaluate_every:
        truth_beside(Path(recipe.val_annotations))
