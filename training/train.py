"""Trains the network of a recipe.

    hrnet-tf train synthetic_pose --workdir=runs/tiny --epochs=3

`--field=value` replaces any field of the recipe. These files are written to the folder:
`model.keras` with the weights of the best evaluation (uncompiled, so that it opens without this
package), its card `model.json`, the recipe's values `recipe.json`, and losses and metrics
`history.csv`. If a run was interrupted, the same command resumes it at the step of its last
checkpoint in `checkpoints/`. With more epochs, it goes on even if it was finished.
"""

import dataclasses
import json
import sys
from collections.abc import Callable, Mapping
from functools import cache, partial
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from hrnet_tf.files import whole
from hrnet_tf.patches.keras_fit import build_losses
from hrnet_tf.patches.tensorflow_sums import sum_in_order
from hrnet_tf.tasks.opened import predictor as predictor_of
from hrnet_tf.training.data.order import order, steps_per_epoch
from hrnet_tf.training.evaluate import Evaluation, Evaluator, evaluate_on, judge
from hrnet_tf.training.loop import distribute as devices
from hrnet_tf.training.loop import resume
from hrnet_tf.training.loop.callbacks import (
    AfterFirstStep,
    Count,
    History,
    Judge,
    Progress,
    Save,
    copy_weights,
    going_on,
    in_vain,
)
from hrnet_tf.training.loop.interrupt import asked_to_stop
from hrnet_tf.training.loop.networks import Networks, build
from hrnet_tf.training.loop.resume import Position
from hrnet_tf.training.loop.schedules import change_of_rate
from hrnet_tf.training.loop.workdir import (
    GOING_ON,
    check_files,
    differences_but_length,
    is_longer,
    open_workdir,
)
from hrnet_tf.training.recipe import Recipe, completed
from hrnet_tf.training.report.curves import write_curves
from hrnet_tf.training.report.summaries import Summaries
from hrnet_tf.training.task import Source, Training, training_named

SHOWN = 4  # number of items in the pictures for TensorBoard


def train(
    recipe: Recipe,
    workdir: str | Path,
    overwrite: bool = False,
    distribute: str = "auto",
    xla: bool = False,
    deterministic: bool = False,
    save_seconds: float = 600.0,
    training: Training | None = None,
) -> Path:
    """Trains, or resumes a run, and returns the path of the saved model.

    A finished run goes on if the recipe has more epochs than it had, and no other value differs.

    Args:
        recipe: the values of the run.
        workdir: folder of the run; with several workers, all of them must have access to it.
        overwrite: replace earlier results in it.
        distribute: a name of `distribute.STRATEGIES`.
        xla: compile the step with XLA.
        deterministic: use operations that give the same bits each time, at the price of speed.
        save_seconds: seconds between two checkpoints within an epoch.
        training: a variant of the `Training` of the recipe's task; that `Training` itself if None.

    Raises:
        FileExistsError: `workdir` holds anything but an unfinished run of this recipe or one of
            fewer epochs, and `overwrite` is False.
        OSError: a file cannot be read or written.
        ValueError: the recipe or its data cannot be used.
        FloatingPointError: loss or weights became NaN or infinite; the batch is in `workdir`.
        KeyboardInterrupt: SIGINT or SIGTERM ended the run, after a checkpoint.
    """
    training = training or training_named(recipe.task)
    recipe = training.settle(recipe)
    training.loss(recipe)  # raises ValueError if the recipe has no loss
    check_files(recipe)
    training.check(recipe)
    strategy = devices.strategy(distribute)
    _check_devices(recipe, strategy, xla)
    if deterministic:
        tf.config.experimental.enable_op_determinism()
        sum_in_order()
    keras.utils.set_random_seed(recipe.seed)
    workdir = Path(workdir)
    if devices.is_chief(strategy):
        open_workdir(workdir, recipe, overwrite)
    devices.any_worker(strategy, False)  # workers wait until the folder is ready
    _train(recipe, workdir, strategy, xla, save_seconds, training)
    return workdir / "model.keras"


def _train(
    recipe: Recipe,
    workdir: Path,
    strategy: tf.distribute.Strategy,
    xla: bool,
    save_seconds: float,
    training: Training,
) -> None:
    """Reads the data, builds and fits the network, and saves the model."""
    chief, checkpoints = devices.is_chief(strategy), workdir / "checkpoints"
    source, held_out, evaluator = training.source(recipe), None, None
    if recipe.is_judged:
        held_out, evaluator = training.held_out(recipe)
    steps = steps_per_epoch(len(source), recipe.batch_size)
    networks = build(recipe, training, strategy, steps, xla)
    run = {training.counted: len(source), **json.loads(recipe.to_json())}
    position, metrics, start = _start(
        recipe, training, source, networks, run, Position(steps), checkpoints
    )
    if chief and start:
        print(start, flush=True)

    keep_batch = partial(_keep_batch, workdir, source, recipe, training)
    count, progress = Count(position, metrics, keep_batch), Progress(position, recipe)
    measure = None
    if chief and evaluator:
        judges = cache(partial(_judges, recipe, training, networks, held_out))
        measure = partial(_measure, judges, networks, evaluator)
    judging = Judge(position, recipe, checkpoints, networks, measure)
    callbacks = [count, judging, History(position, workdir / "history.csv"), progress]
    if chief:
        draw = _draw(training, recipe, networks, (held_out or source)[:SHOWN])
        callbacks.append(Summaries(position, recipe, workdir / "tensorboard", draw))
    if measure:
        callbacks.append(AfterFirstStep(judges))  # what is wrong is said now, not after an epoch
    with asked_to_stop() as asked:
        callbacks.append(Save(position, checkpoints, run, save_seconds, asked, count.diverged))
        try:
            _fit(networks.model, source, recipe, training, position, callbacks)
        finally:
            progress.close()
    if position.step < position.steps * recipe.epochs and not in_vain(position, recipe):
        raise KeyboardInterrupt(
            f"Stopped after step {position.step}; the same command goes on from there."
        )
    if chief:
        _publish(networks, recipe, training, position, workdir)


def validate(recipe: Recipe, model_path: Path) -> Evaluation:
    """Evaluates a saved model on the recipe's validation data by its protocol."""
    training = training_named(recipe.task)
    predictor = predictor_of(model_path, **training.options(recipe))
    return evaluate_on(predictor, training.scored(recipe))


def _check_devices(recipe: Recipe, strategy: tf.distribute.Strategy, xla: bool) -> None:
    count = strategy.num_replicas_in_sync
    if recipe.batch_size % count:
        raise ValueError(
            f"`batch_size` must be a multiple of the {count} devices that share it. "
            f"Received: batch_size={recipe.batch_size}."
        )
    if xla and count > 1 and not isinstance(strategy, tf.distribute.TPUStrategy):
        raise ValueError(
            f"`xla` compiles steps of one device. Received: xla=True on {count} devices."
        )


def _start(
    recipe: Recipe,
    training: Training,
    source: Source,
    networks: Networks,
    run: Mapping,
    position: Position,
    checkpoints: Path,
) -> tuple[Position, list[np.ndarray], str]:
    """Loads the last checkpoint, or else the weights that the recipe starts from.

    Returns:
        The position to start at, the metrics' values there, and a sentence about the start.
    """
    found = resume.newest(checkpoints, partial(print, file=sys.stderr))
    if not found:
        return position, [], training.start(networks.network, recipe)
    counted = training.counted
    there = {counted: found.run.get(counted), **completed(_without(found.run, counted))}
    if differing := differences_but_length(there, run):
        raise ValueError(
            f"{found.path} is of another run ({differing}): choose another --workdir, or replace "
            "its results with --overwrite."
        )
    if len(keras.tree.flatten(networks.network.output)) > 1:
        build_losses(networks.model, training.batches(source, recipe, True).element_spec)
    resume.restore(networks.model, found)
    metrics = [variable.numpy() for variable in networks.model.metrics_variables]
    epochs, steps = divmod(found.position.step, position.steps)
    start = f"Going on from {found.path}: {epochs} epochs and {steps} steps are done."
    if is_longer(there, run):
        start += f"\n{_prolong(there['epochs'], recipe, found.position)}"
    return found.position, metrics, start


def _prolong(epochs: int, recipe: Recipe, position: Position) -> str:
    """Lets a run go on that has got more epochs; returns a sentence about its learning rate."""
    old = dataclasses.replace(recipe, epochs=epochs)
    if in_vain(position, old):
        position.waited = 0  # it had ended early
    return change_of_rate(old, recipe, position.steps, position.step)


def _without(values: Mapping, name: str) -> dict:
    return {key: value for key, value in values.items() if key != name}


def _fit(
    model: keras.Model,
    source: Source,
    recipe: Recipe,
    training: Training,
    position: Position,
    callbacks: list,
) -> None:
    """Calls `fit` for the rest of an interrupted epoch, if any, and then for all other epochs."""
    while position.step < position.steps * recipe.epochs and not in_vain(position, recipe):
        epoch, done = divmod(position.step, position.steps)
        make = partial(training.batches, source, recipe, True, position.step)
        devices.fit(
            model,
            devices.feed(model.distribute_strategy, make),
            initial_epoch=epoch,
            epochs=epoch + 1 if done else recipe.epochs,
            steps_per_epoch=position.steps - done,
            callbacks=callbacks,
            verbose=0,
        )
        if model.stop_training:
            return


def _judges(recipe: Recipe, training: Training, networks: Networks, held_out: Source) -> tuple:
    """What measures a network: a predictor, a model that has the loss, and its data set."""
    loss = training.loss(recipe)
    network = networks.trainee if loss is None else networks.copy
    predictor = predictor_of(networks.published, card=recipe.card, **training.options(recipe))
    network.compile(loss=loss, jit_compile=False)
    return predictor, network, training.batches(held_out, recipe, augment=False)


def _measure(
    judges: Callable[[], tuple], networks: Networks, evaluator: Evaluator
) -> tuple[dict[str, float], float]:
    """The `Measure` of `Judge`, by what `_judges` returns."""
    predictor, network, data = judges()
    networks.settle()
    found = judge(predictor, evaluator)
    name, higher_is_better = found.main
    main = found.numbers[name]
    loss = network.evaluate(data, verbose=0, return_dict=True)["loss"]
    numbers = {"val_loss": loss, name: main, **found.numbers}
    return numbers, main if higher_is_better else -main


def _draw(training: Training, recipe: Recipe, networks: Networks, shown: Source):
    """The function by which `Summaries` draws items with their targets and the predictions."""

    @cache
    def batch():
        inputs, targets, _ = next(iter(training.batches(shown, recipe, augment=False)))
        return keras.tree.map_structure(np.array, (inputs, targets))

    def draw(model: keras.Model) -> list[np.ndarray]:
        copy_weights(model, networks.trainee)
        outputs = networks.copy.predict_on_batch(batch()[0])
        return training.panels(recipe.card, *batch(), outputs)

    return draw


def _keep_batch(
    workdir: Path, source: Source, recipe: Recipe, training: Training, step: int
) -> str:
    """Saves the batch of a step for inspection; returns a sentence with the path."""
    batch = next(iter(training.batches(source, recipe, True, first_step=step)))
    named = dict(zip(("inputs", "targets", "weights"), batch, strict=True))
    arrays = {
        "/".join(map(str, path)): np.asarray(array)  # "targets", or "targets/heatmaps" of a dict
        for path, array in keras.tree.flatten_with_path(named)
    }
    rows = order(len(source), recipe.batch_size, recipe.seed, step)
    names = source.rows["name"][rows].astype(str)
    path = workdir / "bad_batch.npz"
    try:
        with whole(path) as part:
            np.savez(part, **arrays, step=step, rows=rows, names=names)
    except OSError as error:
        return str(error)
    return f"Its batch is in {path}."


def _publish(
    networks: Networks, recipe: Recipe, training: Training, position: Position, workdir: Path
) -> None:
    """Saves a model with the best weights (the last ones without validation), card and curves."""
    if position.best_step:
        resume.read_best(workdir / "checkpoints", networks.trainee, position.best_step)
        print(f"The best weights are those of epoch {position.best_step // position.steps}.")
    else:
        copy_weights(networks.model, networks.trainee)
    with going_on():
        write_curves(workdir)
    networks.settle()
    training.publish(networks.published, networks.trainee, recipe, workdir / "model.keras")
    (workdir / GOING_ON).unlink(missing_ok=True)
