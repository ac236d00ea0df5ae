"""What a run needs to know of its task: `Training`, one value in the room of each task."""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from hrnet_tf.tasks.card_files import save_model
from hrnet_tf.training.loop.network import load_weights
from hrnet_tf.training.recipe import TASKS, Recipe


class Source(Protocol):
    """What batches are cut from; a slice of it is one, too.

    Attributes:
        rows: arrays with one row for each item; "name" (N,) says in messages what it is.
    """

    rows: dict[str, np.ndarray]

    def __len__(self) -> int: ...

    def __getitem__(self, rows: slice) -> "Source": ...


def plain(network, recipe: Recipe):
    """What `fit` trains if a task needs nothing around the network: the network itself."""
    return network


def start_from_weights(network, recipe: Recipe) -> str:
    """Loads `weights` of a recipe, if it has any; a sentence that says so."""
    if not recipe.weights:
        return ""
    report = load_weights(network, recipe.weights).summary()
    return f"Starting from {recipe.weights}: {'; '.join(report.splitlines())}."


def save(network, trainee, recipe: Recipe, path: Path) -> None:
    """Saves a trained network and its card."""
    save_model(network, recipe.card, path)


@dataclass(frozen=True)
class Training:
    """All that `train`, `evaluate`, `inspect` and the TFRecords do not know themselves.

    A variant, such as training for int8, is `dataclasses.replace` of the task's value.

    Attributes:
        recipe: the class of the recipes.
        scoring: a frozen dataclass: what a network is scored on. Its first fields are annotations
            and images, its fields the flags of `evaluate`.
        counted: what a source holds, in words: "people".
        check: raises OSError or ValueError for what a recipe needs and is not there, before any
            work; files that every recipe names have been found.
        network: recipe -> the untrained network, a plain `keras.Model`.
        source: recipe -> what is trained on.
        held_out: recipe -> a source for the validation loss, and the evaluator of the run; both
            from one reading of the validation annotations.
        batches: (source, recipe, augment, first_step, parts, first_part, local_parts) -> data set
            of (inputs, targets, weights); see `training.pose.batches`.
        loss: recipe -> Keras loss; raises ValueError if there is none.
        scored: recipe -> `scoring`: how a run is judged.
        evaluator: (card, scoring, report) -> `Evaluator`.
        options: recipe -> options of the predictor that judges a run, as of `hrnet_tf.predictor`.
        panels: (card, inputs, targets, outputs) -> pictures (H, W, 3) uint8 for TensorBoard.
        inspect: recipe -> `report.inspect.View`, what `inspect` shows of the data.
        write_records: (recipe, output, shards, overwrite) -> (number of items, paths), TFRecords.
        start: (network, recipe) -> a sentence; gives the network the weights to start from.
        trainee: (network, recipe) -> the model that `fit` sees, around the network.
        publish: (network, trainee, recipe, path) saves what was trained; both are float32 copies
            with the final weights.
    """

    recipe: type[Recipe]
    scoring: type
    counted: str
    check: Callable[[Recipe], None]
    network: Callable[[Recipe], Any]
    source: Callable[[Recipe], Source]
    held_out: Callable[[Recipe], tuple[Source, Any]]
    batches: Callable
    loss: Callable[[Recipe], Any]
    scored: Callable[[Recipe], Any]
    evaluator: Callable
    options: Callable[[Recipe], dict[str, Any]]
    panels: Callable
    inspect: Callable
    write_records: Callable
    start: Callable[[Any, Recipe], str] = start_from_weights
    trainee: Callable[[Any, Recipe], Any] = plain
    publish: Callable[[Any, Any, Recipe, Path], None] = save


def training_named(task: str) -> Training:
    """`TRAINING` of `hrnet_tf.training.<task>.task`.

    Raises:
        ValueError: networks of this task cannot be trained and evaluated here.
    """
    if task not in TASKS:
        raise ValueError(
            f"`task` must be one that can be trained and evaluated, {', '.join(TASKS)}. "
            f"Received: task={task!r}."
        )
    return importlib.import_module(f"hrnet_tf.training.{task}.task").TRAINING
