"""`Scored` and `Training`: the functions of a task that evaluation and a run need."""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from hrnet_tf.cards.files import save_model
from hrnet_tf.training import scored_tasks
from hrnet_tf.training.recipe import TASKS, Recipe
from hrnet_tf.training.start import start_from_weights


class Source(Protocol):
    """The items that batches are made of; a slice is a `Source`, too.

    Attributes:
        rows: arrays with one row for each item; "name" (N,) identifies it in messages.
    """

    rows: dict[str, np.ndarray]

    def __len__(self) -> int: ...

    def __getitem__(self, rows: slice) -> "Source": ...


def plain(network, recipe: Recipe):
    """Default of `trainee`: `fit` trains the network itself."""
    return network


def unchanged(recipe: Recipe) -> Recipe:
    """Default of `settle`: the recipe has all values."""
    return recipe


def nothing(recipe: Recipe) -> None:
    """Default of `check`: the recipe needs no further files."""


def no_panels(card, inputs, targets, outputs) -> list[np.ndarray]:
    """Default of `panels`: no pictures."""
    return []


def no_view(recipe: Recipe):
    """Default of `inspect`: raises ValueError."""
    raise ValueError(f"`inspect` shows nothing of {recipe.task} recipes; train them as they are.")


def no_records(recipe: Recipe, *_):
    """Default of `write_records`: raises ValueError."""
    raise ValueError(f"TFRecords are not written of {recipe.task} data; train on the files.")


def save(network, trainee, recipe: Recipe, path: Path) -> None:
    """Saves a trained network and its card."""
    save_model(network, recipe.card, path)


@dataclass(frozen=True, kw_only=True)
class Scored:
    """The task's part of `evaluate`; a task that is not trained here has no more.

    Attributes:
        scoring: a frozen dataclass with the data and settings of an evaluation. Its first fields
            are annotations and images; all its fields are flags of `evaluate`. If it has a field
            `results`, the evaluator scores that file where there is no network.
        evaluator: (card, scoring, report) -> `Evaluator`; the card is None for a results file.
    """

    scoring: type
    evaluator: Callable


@dataclass(frozen=True, kw_only=True)
class Training(Scored):
    """The task's part of `train`, `inspect` and the TFRecords, too.

    A variant, such as training for int8, is `dataclasses.replace` of the task's value.

    Attributes:
        recipe: the class of the recipes.
        counted: a word for the items of a source: "people".
        settle: recipe -> the recipe with values that depend on its data, such as names of classes;
            raises OSError or ValueError if the data cannot be used.
        check: recipe -> None; raises OSError or ValueError if something that the recipe needs is
            missing. It is called at the start, after the files that every recipe names are found.
        network: recipe -> the untrained network, a plain `keras.Model`.
        published: recipe -> the network that is evaluated and published, if it takes images of
            another size than `network`; it gets the same weights.
        source: recipe -> the `Source` of the training data.
        held_out: recipe -> a source for the validation loss, and the evaluator of the run. The
            validation annotations are read once for both.
        batches: (source, recipe, augment, first_step, parts, first_part, local_parts) -> data set
            of (inputs, targets, weights), each an array or a dict of arrays by name; see
            `training.pose.batches`.
        loss: recipe -> Keras loss; None if the `trainee` computes its own; raises ValueError if
            there is none.
        scored: recipe -> the `scoring` by which a run is evaluated.
        options: recipe -> options of the predictor in the evaluations of a run, as for
            `hrnet_tf.predictor`.
        is_head: name of a layer -> whether its rate is multiplied by the recipe's `head_rate`.
        panels: (card, inputs, targets, outputs) -> pictures (H, W, 3) uint8 for TensorBoard.
        inspect: recipe -> `report.inspect.View`, the page of `inspect`.
        write_records: (recipe, output, shards, overwrite) -> (number of items, paths); writes
            TFRecords.
        start: (network, recipe) -> a sentence about them; loads the weights to start from.
        distance: recipe -> loss between the outputs of two networks, for training one to imitate
            the other; None: `loss`, which must take outputs in place of targets.
        trainee: (network, recipe) -> the model that `fit` trains; it contains the network.
        publish: (network, trainee, recipe, path) -> None; saves the trained network. Both models
            are float32 copies with the final weights.
    """

    recipe: type[Recipe]
    counted: str
    network: Callable[[Recipe], Any]
    source: Callable[[Recipe], Source]
    held_out: Callable[[Recipe], tuple[Source, Any]]
    batches: Callable
    loss: Callable[[Recipe], Any]
    scored: Callable[[Recipe], Any]
    options: Callable[[Recipe], dict[str, Any]] = lambda recipe: {}
    published: Callable[[Recipe], Any] | None = None
    settle: Callable[[Recipe], Recipe] = unchanged
    check: Callable[[Recipe], None] = nothing
    is_head: Callable[[str], bool] = lambda layer: False
    panels: Callable = no_panels
    inspect: Callable = no_view
    write_records: Callable = no_records
    start: Callable[[Any, Recipe], str] = start_from_weights
    distance: Callable[[Recipe], Any] | None = None
    trainee: Callable[[Any, Recipe], Any] = plain
    publish: Callable[[Any, Any, Recipe, Path], None] = save


def training_named(task: str) -> Training:
    """`TRAINING` of `hrnet_tf.training.<task>.task`.

    Raises:
        ValueError: networks of this task cannot be trained here.
    """
    return _named(task, TASKS, "trained")


def scored_named(task: str) -> Scored:
    """As `training_named`, also of a task whose networks can be evaluated but not trained."""
    return _named(task, scored_tasks(), "evaluated")


def _named(task, able, verb):
    if task not in able:
        raise ValueError(
            f"`task` must be one whose networks can be {verb}, {', '.join(able)}. "
            f"Received: task={task!r}."
        )
    return importlib.import_module(f"hrnet_tf.training.{task}.task").TRAINING
