"""What a run needs before its first step: folder, people, network, weights to start from."""

import contextlib
import json
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import keras
import numpy as np

from hrnet_tf.checkpoints import CheckpointReport, load_checkpoint, weights_of
from hrnet_tf.download import download, is_url
from hrnet_tf.files import whole
from hrnet_tf.network import load_network
from hrnet_tf.training.data.annotations import FORMATS
from hrnet_tf.training.data.coco import Record
from hrnet_tf.training.data.people import People, check_reach, images
from hrnet_tf.training.data.pipeline import readable
from hrnet_tf.training.data.tfrecord import read_people
from hrnet_tf.training.evaluate import check
from hrnet_tf.training.recipe import Recipe
from hrnet_tf.training.resume import differences
from hrnet_tf.training.scoring import truth_beside

RESULTS = ("model.keras", "model.json", "recipe.json", "history.csv", "curves.svg", "bad_batch.npz")
FOLDERS = ("checkpoints", "tensorboard")


def open_workdir(workdir: str | Path, recipe: Recipe, overwrite: bool) -> Path:
    """The folder of a run, new or with an unfinished run of the same recipe, and `recipe.json`.

    Raises:
        FileExistsError: it is no folder, or holds anything else, and `overwrite` is False.
        OSError: it cannot be written.
    """
    workdir = Path(workdir)
    earlier = workdir / "recipe.json"
    if overwrite or not earlier.is_file():
        empty_folder(workdir, overwrite)
    else:
        there, here = (json.loads(text) for text in (earlier.read_text("utf-8"), recipe.to_json()))
        if differing := differences(there, here):
            raise FileExistsError(
                f"{workdir} holds a run of another recipe ({differing}): choose another folder, or "
                "replace its results with --overwrite."
            )
        if all((workdir / name).is_file() for name in ("model.keras", "model.json")):
            raise FileExistsError(
                f"{workdir} holds a finished run of this recipe: choose another folder, or replace "
                "its results with --overwrite."
            )
    if overwrite:
        for name in RESULTS:
            (workdir / name).unlink(missing_ok=True)
        for name in FOLDERS:
            shutil.rmtree(workdir / name, ignore_errors=True)
    with whole(earlier) as part:
        part.write_text(recipe.to_json(), encoding="utf-8")
    return workdir


def empty_folder(folder: str | Path, overwrite: bool) -> Path:
    """The folder, made if it is new.

    Raises:
        FileExistsError: it is no folder, or not empty and `overwrite` is False.
        OSError: it cannot be made.
    """
    folder = Path(folder)
    if folder.exists() and not folder.is_dir():
        raise FileExistsError(f"{folder} is a file; name a folder.")
    if folder.exists() and any(folder.iterdir()) and not overwrite:
        raise FileExistsError(
            f"{folder} is not empty: choose another folder, or replace results with --overwrite."
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OSError(f"{folder}: cannot be made a folder ({error.strerror}).") from error
    return folder


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


@contextlib.contextmanager
def dtype_policy(name: str) -> Iterator[None]:
    """Layers made inside have this policy."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(name)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def set_normalization(model: keras.Model, frozen: bool, synchronized: bool) -> None:
    """Before `compile`: fixes normalization, or lets it see the batches of all devices.

    Frozen, it uses the averages it has and learns nothing, its scale and offset included.
    """
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.trainable = not frozen
            layer.synchronized = synchronized


def load_weights(model: keras.Model, weights: str) -> CheckpointReport:
    """Loads what a recipe starts from; parts of the head that do not fit start anew.

    Args:
        model: to be trained.
        weights: a `.keras` file, a preset, or a checkpoint: a path or an address.

    Raises:
        OSError, ValueError: it cannot be had or read, or is of another architecture.
    """
    if is_url(weights):
        weights = str(download(weights))
    source = weights
    if Path(weights).suffix in ("", ".keras"):
        source = weights_of(load_network(weights)[0])
    report = load_checkpoint(model, source, allow_head_mismatch=True)
    if not report.loaded:
        raise ValueError(
            f"`weights` must fit the network. Received: weights={weights}, of which nothing does."
        )
    return report
