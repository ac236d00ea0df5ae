"""Trains the network of a recipe.

    python -m hrnet_tf.training.train synthetic_pose --workdir=runs/tiny --epochs=3

`--field=value` replaces any field of the recipe. The folder receives `model.keras` (uncompiled, so
it opens without this package) with the weights that did best on the validation data, its card
`model.json`, the values used `recipe.json`, and the losses `history.csv`. A run that was cut short
goes on when the command is repeated: from `checkpoints/`, at the step of the last one.
"""

import dataclasses
import json
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from absl import flags

from hrnet_tf.files import whole
from hrnet_tf.networks.pose import pose
from hrnet_tf.tasks.card_files import save_model
from hrnet_tf.tasks.pose.predictor import PosePredictor
from hrnet_tf.training.evaluate import Evaluation, evaluate
from hrnet_tf.training.loop import distribute as devices
from hrnet_tf.training.loop import normalization, resume
from hrnet_tf.training.loop.callbacks import (
    Count,
    History,
    Judge,
    Measure,
    Progress,
    Save,
    copy_weights,
    going_on,
    in_vain,
)
from hrnet_tf.training.loop.interrupt import asked_to_stop
from hrnet_tf.training.loop.network import dtype_policy, load_weights, set_normalization
from hrnet_tf.training.loop.optimizers import optimizer
from hrnet_tf.training.loop.resume import Position
from hrnet_tf.training.loop.workdir import empty_folder, open_workdir
from hrnet_tf.training.overrides import define_flags, resolve
from hrnet_tf.training.pose import losses
from hrnet_tf.training.pose.batches import batches, order, steps_per_epoch
from hrnet_tf.training.pose.people import People
from hrnet_tf.training.pose.readers.coco import Record
from hrnet_tf.training.pose.source import check_files, training_people, validation_people
from hrnet_tf.training.recipe import Recipe
from hrnet_tf.training.report.curves import write_curves
from hrnet_tf.training.report.summaries import Summaries

__all__ = ["command_flags", "empty_folder", "main", "run", "train", "validate"]

SHOWN = 4  # people in the pictures for TensorBoard


def network_of(recipe: Recipe) -> keras.Model:
    """The network of a recipe, untrained."""
    shape = (*recipe.input_size, 3)
    return pose(
        recipe.arch, shape, recipe.codec.channels(len(recipe.keypoints.names)), head=recipe.head
    )


def publish(network: keras.Model, recipe: Recipe, path: Path) -> None:
    """Saves a trained network and its card."""
    save_model(network, recipe.card, path)


@dataclasses.dataclass(frozen=True)
class Job:
    """What a run trains if not the plain network of its recipe.

    Attributes:
        build: makes the network; called twice, for training and for judging.
        publish: saves the trained network to a path.
        teacher: whose heat maps are the targets; the recipe's own targets if None.
    """

    build: Callable[[Recipe], keras.Model] = network_of
    publish: Callable[[keras.Model, Recipe, Path], None] = publish
    teacher: keras.Model | None = None


def train(
    recipe: Recipe,
    workdir: str | Path,
    overwrite: bool = False,
    distribute: str = "auto",
    xla: bool = False,
    deterministic: bool = False,
    save_seconds: float = 600.0,
    job: Job | None = None,
) -> Path:
    """Trains, or goes on with an unfinished run, and returns the path of the saved model.

    Args:
        recipe: what to train, on what, how.
        workdir: folder of the run; with several workers one that all of them see.
        overwrite: replace earlier results in it.
        distribute: a name of `distribute.STRATEGIES`.
        xla: compile the step with XLA.
        deterministic: use operations that give the same bits each time, at the price of speed.
        save_seconds: between two checkpoints within an epoch.
        job: what is trained, by the recipe's data and values; the recipe's network if None.

    Raises:
        FileExistsError: `workdir` holds something else than an unfinished run of this recipe, and
            `overwrite` is False.
        OSError: a file cannot be read or written.
        ValueError: the recipe or its data cannot be used.
        FloatingPointError: loss or weights became NaN or infinite; the batch is in `workdir`.
        KeyboardInterrupt: SIGINT or SIGTERM ended the run, after a checkpoint.
    """
    losses.loss(recipe)  # refuses what has none
    check_files(recipe)
    strategy = devices.strategy(distribute)
    _check_devices(recipe, strategy, xla)
    if deterministic:
        tf.config.experimental.enable_op_determinism()
    keras.utils.set_random_seed(recipe.seed)
    workdir = Path(workdir)
    if devices.is_chief(strategy):
        open_workdir(workdir, recipe, overwrite)
    devices.any_worker(strategy, False)  # nobody looks before the folder is ready
    _train(recipe, workdir, strategy, xla, save_seconds, job or Job())
    return workdir / "model.keras"


def _train(
    recipe: Recipe,
    workdir: Path,
    strategy: tf.distribute.Strategy,
    xla: bool,
    save_seconds: float,
    job: Job,
) -> None:
    """From the people to the saved model."""
    chief, checkpoints = devices.is_chief(strategy), workdir / "checkpoints"
    people = training_people(recipe)
    judged = None
    if recipe.val_annotations and recipe.evaluate_every:
        judged = validation_people(recipe)
    position = Position(steps_per_epoch(len(people), recipe))
    model, network = _build(recipe, job, strategy, position.steps, xla)
    run = {"people": len(people), **json.loads(recipe.to_json())}
    metrics = []
    start = ""
    if found := resume.newest(checkpoints, partial(print, file=sys.stderr)):
        position, metrics = _go_on(model, found, run)
        epochs, steps = divmod(position.step, position.steps)
        start = f"Going on from {found.path}: {epochs} epochs and {steps} steps are done."
    elif recipe.weights and job.build is network_of:
        report = load_weights(model, recipe.weights).summary()
        start = f"Starting from {recipe.weights}: {'; '.join(report.splitlines())}."
    if chief and start:
        print(start, flush=True)

    count = Count(position, metrics, partial(_keep_batch, workdir, people, recipe))
    progress = Progress(position, recipe)
    measure = _measure(recipe, network, judged) if chief and judged else None
    judge = Judge(position, recipe, checkpoints, network, measure)
    callbacks = [count, judge, History(position, workdir / "history.csv"), progress]
    if chief:
        shown = next(iter(batches((judged or people)[:SHOWN], recipe, augment=False)))
        shown = [np.array(part) for part in shown[:2]]
        callbacks.append(Summaries(position, recipe, workdir / "tensorboard", network, shown))
    with asked_to_stop() as asked:
        callbacks.append(Save(position, checkpoints, run, save_seconds, asked, count.diverged))
        try:
            _fit(model, people, recipe, job, position, callbacks)
        finally:
            progress.close()
    if position.step < position.steps * recipe.epochs and not in_vain(position, recipe):
        raise KeyboardInterrupt(
            f"Stopped after step {position.step}; the same command goes on from there."
        )
    if chief:
        _publish(model, network, recipe, job, position, workdir)


def validate(recipe: Recipe, model_path: Path) -> Evaluation:
    """Judges a saved model on the validation data by the recipe's own protocol."""
    return _evaluate(PosePredictor(model_path, flip=recipe.flip_test, batch_size=32), recipe)


def _evaluate(predictor: PosePredictor, recipe: Recipe) -> Evaluation:
    return evaluate(
        predictor,
        recipe.val_annotations,
        recipe.val_images,
        protocol=recipe.protocol,
        data_format=recipe.data_format,
    )


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


def _build(
    recipe: Recipe, job: Job, strategy: tf.distribute.Strategy, steps: int, xla: bool
) -> tuple[keras.Model, keras.Model]:
    """The compiled network on the devices of a strategy, and a plain copy in float32."""
    loss = losses.loss(recipe)
    if job.teacher:
        loss = losses.Imitation(job.teacher, loss)
    with strategy.scope(), dtype_policy(recipe.precision):
        model = job.build(recipe)
        together = recipe.sync_norm and strategy.num_replicas_in_sync > 1
        set_normalization(model, recipe.frozen_norm, together)
        normalization.fuse(model)
        # XLA only if asked: it compiles for longer than it saves in a short run on CPUs.
        model.compile(optimizer(recipe, steps), loss, jit_compile=xla)
        model.optimizer.build(model.trainable_variables)
    with dtype_policy("float32"):
        return model, job.build(recipe)


def _go_on(model: keras.Model, found: resume.Checkpoint, run: dict) -> tuple[Position, list]:
    """Puts a model where a checkpoint was; its position, and values for the metrics."""
    if differing := resume.differences(found.run, run):
        raise ValueError(
            f"{found.path} is of another run ({differing}): choose another --workdir, or replace "
            "its results with --overwrite."
        )
    resume.restore(model, found)
    return found.position, [variable.numpy() for variable in model.metrics_variables]


def _fit(
    model: keras.Model,
    people: People,
    recipe: Recipe,
    job: Job,
    position: Position,
    callbacks: list,
) -> None:
    """`fit` from a position to the end: first what is left of an interrupted epoch."""
    while position.step < position.steps * recipe.epochs and not in_vain(position, recipe):
        epoch, done = divmod(position.step, position.steps)
        make = partial(batches, people, recipe, True, position.step)
        if job.teacher:
            make = partial(losses.to_imitate, make)
        data = devices.feed(model.distribute_strategy, make)
        devices.fit(
            model,
            data,
            initial_epoch=epoch,
            epochs=epoch + 1 if done else recipe.epochs,
            steps_per_epoch=position.steps - done,
            callbacks=callbacks,
            verbose=0,
        )
        if model.stop_training:
            return


def _measure(recipe: Recipe, network: keras.Model, people: list[Record]) -> Measure:
    """Measures a network, for `Judge`."""
    predictor = PosePredictor(network, recipe.card, recipe.flip_test, batch_size=32)
    network.compile(loss=losses.loss(recipe), jit_compile=False)
    data = batches(people, recipe, augment=False)

    def measure():
        found = _evaluate(predictor, recipe)
        name, higher_is_better = found.main
        main = found.numbers[name]
        numbers = {"val_loss": network.evaluate(data, verbose=0), name: main, **found.numbers}
        return numbers, main if higher_is_better else -main

    return measure


def _keep_batch(workdir: Path, people: People, recipe: Recipe, step: int) -> str:
    """Saves the batch of a step for a look at it; a sentence that says where."""
    kinds = ("crops", "heatmaps", "weights")
    batch = next(iter(batches(people, recipe, True, first_step=step)))
    arrays = dict(zip(kinds, map(np.asarray, batch), strict=True))
    who = order(len(people), recipe, step)
    names = people.rows["name"][who].astype(str)
    path = workdir / "bad_batch.npz"
    try:
        with whole(path) as part:
            np.savez(part, **arrays, step=step, people=who, names=names)
    except OSError as error:
        return str(error)
    return f"Its batch is in {path}."


def _publish(
    model: keras.Model,
    network: keras.Model,
    recipe: Recipe,
    job: Job,
    position: Position,
    workdir: Path,
) -> None:
    """Saves the best weights, or without validation the last ones, with card and curves."""
    if position.best_step:
        resume.read_best(workdir / "checkpoints", network, position.best_step)
        print(f"The best weights are those of epoch {position.best_step // position.steps}.")
    else:
        copy_weights(model, network)
    with going_on():
        write_curves(workdir)
    job.publish(network, recipe, workdir / "model.keras")


def command_flags() -> flags.FlagValues:
    """The flags of the command: those of a run, and one for each field of a recipe."""
    values = flags.FlagValues()
    flags.DEFINE_string("workdir", None, "folder of the run", flag_values=values)
    flags.DEFINE_bool("overwrite", False, "replace earlier results there", flag_values=values)
    flags.DEFINE_enum(
        "distribute",
        "auto",
        devices.STRATEGIES,
        "devices that share the work; auto: all GPUs, and all workers of TF_CONFIG",
        flag_values=values,
    )
    flags.DEFINE_bool("xla", False, "compile the step with XLA", flag_values=values)
    flags.DEFINE_bool("deterministic", False, "the same bits each time, slower", flag_values=values)
    define_flags(values)
    values.set_gnu_getopt(True)
    return values


def run(values: flags.FlagValues, words: list[str]) -> int:
    """Trains what the flags of `command_flags` and the one word, a recipe, say; the exit status.

    Raises:
        absl.flags.Error: a usage mistake.
        OSError, ValueError: as `train`.
    """
    recipe = resolve(values, words)
    if not values.workdir:
        raise flags.Error("name the folder of the run: --workdir=DIR.")
    options = ("overwrite", "distribute", "xla", "deterministic")
    try:
        path = train(recipe, values.workdir, **{name: values[name].value for name in options})
    except FloatingPointError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt as stop:
        again = "Stopped at once; the same command goes on from the last checkpoint."
        print(stop if stop.args else again, file=sys.stderr)
        return 130
    print(f"The trained model: {path}")
    return 0


def main(argv: list[str] | None = None) -> int:
    """Runs `python -m hrnet_tf.training.train RECIPE --workdir=DIR --field=value`."""
    values, argv = command_flags(), sys.argv if argv is None else argv
    if "--help" in argv:
        print(__doc__, values.get_help(), sep="\n")
        return 0
    try:
        return run(values, values(argv)[1:])
    except (flags.Error, ValueError, OSError) as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
