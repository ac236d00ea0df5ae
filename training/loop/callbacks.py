"""Callbacks of a run: they count steps, evaluate, save checkpoints and report progress.

`fit` calls them in the order of the classes here, on every worker. Work of the chief alone depends
on arguments that other workers do not get, or on `is_chief`.
"""

import contextlib
import csv
import io
import math
import sys
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
from rich.progress import Progress as Bar

from hrnet_tf.files import whole
from hrnet_tf.training.loop import resume
from hrnet_tf.training.loop.distribute import any_worker, is_chief
from hrnet_tf.training.loop.networks import Networks
from hrnet_tf.training.loop.resume import Position
from hrnet_tf.training.recipe import Recipe

SPEED = "images_per_second"
AGREED = 20  # steps; several workers agree at this interval whether to save or stop

Measure = Callable[[], tuple[dict[str, float], float]]


class Count(keras.callbacks.Callback):
    """Counts the steps, restores the metrics of an interrupted epoch, and ends the run at NaN.

    Args:
        position: its `step` is counted.
        metrics: values of the metrics' variables when an epoch was interrupted.
        keep_batch: saves the batch of a step, and returns a sentence with the path.
    """

    def __init__(
        self, position: Position, metrics: list[np.ndarray], keep_batch: Callable[[int], str]
    ):
        super().__init__()
        self.position, self.metrics, self.keep_batch = position, metrics, keep_batch

    def on_epoch_begin(self, epoch, logs=None):
        if self.position.within_epoch:
            for variable, value in zip(self.model.metrics_variables, self.metrics, strict=True):
                variable.assign(value)

    def on_train_batch_end(self, batch, logs=None):
        self.position.step += 1
        # This loss is the mean over the epoch so far: a single NaN makes it NaN.
        if not math.isfinite(logs["loss"]):
            raise self.diverged(f"The loss is {logs['loss']}")

    def diverged(self, what: str) -> FloatingPointError:
        """Saves the last batch; returns the error to raise if its step led to NaN or infinity."""
        step = self.position.step
        return FloatingPointError(
            f"{what} after step {step}, in epoch {(step - 1) // self.position.steps + 1}. "
            f"{self.keep_batch(step - 1)} The checkpoints are from before. Look at the batch, or "
            "try a lower `learning_rate`, a `clip_norm` or another `precision` in another folder."
        )


class Judge(keras.callbacks.Callback):
    """Evaluates at intervals, keeps the best weights, and ends a run that no longer improves.

    Args:
        position: holds the best result so far.
        recipe: has `evaluate_every`, `patience` and `epochs`.
        folder: folder of the checkpoints, where the best weights are kept, too.
        networks: their `trainee` gets the current weights before each evaluation.
        measure: returns numbers for the log, and the number that decides, for which larger is
            better. None on all workers but the chief, and without validation data.
    """

    def __init__(
        self,
        position: Position,
        recipe: Recipe,
        folder: Path,
        networks: Networks,
        measure: Measure | None,
    ):
        super().__init__()
        self.position, self.recipe, self.folder = position, recipe, folder
        self.networks, self.measure = networks, measure

    def on_epoch_end(self, epoch, logs=None):
        position = self.position
        if position.within_epoch:
            return
        if self.measure and is_due(self.recipe, epoch):
            copy_weights(self.model, self.networks.trainee)
            numbers, main = self.measure()
            logs.update(numbers)
            best = -math.inf if position.best is None else position.best
            position.waited = 0 if main > best else position.waited + 1
            if main >= best:  # the last of equal results wins, as in the original
                with going_on():
                    resume.write_best(self.folder, self.networks.trainee, position.step)
                    position.best, position.best_step = main, position.step
        if any_worker(self.model.distribute_strategy, in_vain(position, self.recipe)):
            self.model.stop_training = True


class History(keras.callbacks.Callback):
    """Writes a line per epoch to a CSV file; the file never has partial or missing lines."""

    def __init__(self, position: Position, path: Path):
        super().__init__()
        self.position, self.path = position, path

    def on_train_begin(self, logs=None):
        self._write()  # removes epochs after the checkpoint from which an interrupted run resumes

    def on_epoch_end(self, epoch, logs=None):
        if not self.position.within_epoch:
            rate = float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate))
            row = {name: float(value) for name, value in logs.items()}
            self.position.rows.append({"epoch": epoch + 1, **row, "learning_rate": rate})
            self._write()

    def _write(self):
        if not is_chief(self.model.distribute_strategy):
            return
        rows = self.position.rows
        names = dict.fromkeys(name for row in rows for name in row if name != "learning_rate")
        text = io.StringIO()
        writer = csv.DictWriter(text, [*names, "learning_rate"], restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        with going_on(), whole(self.path) as part:
            part.write_text(text.getvalue(), encoding="utf-8")


class Progress(keras.callbacks.Callback):
    """Prints a line per epoch, and shows a bar for the current epoch if stdout is a terminal.

    Adds `images_per_second` to the log.
    """

    def __init__(self, position: Position, recipe: Recipe):
        super().__init__()
        self.position, self.recipe = position, recipe
        # (step, seconds) when the second step of this process began; the first one compiles
        self.first = self.epoch_first = self.epoch_last = None
        self.bar = None

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch_first = None
        if sys.stdout.isatty() and is_chief(self.model.distribute_strategy):
            columns = ("epoch {task.fields[epoch]}", BarColumn(), MofNCompleteColumn())
            text = TextColumn("loss {task.fields[loss]:.3g}  {task.fields[left]}")
            self.bar = Bar(*columns, text, transient=True)
            title = f"{epoch + 1}/{self.recipe.epochs}"
            self.bar.add_task("", total=self.position.steps, epoch=title, loss=math.nan, left="")
            self.bar.start()

    def on_train_batch_begin(self, batch, logs=None):
        if self.epoch_last:
            now = (self.position.step, time.monotonic())
            self.first = self.first or now
            self.epoch_first = self.epoch_first or now

    def on_train_batch_end(self, batch, logs=None):
        self.epoch_last = (self.position.step, time.monotonic())
        if self.bar:
            done = (self.position.step - 1) % self.position.steps + 1
            epoch, run = self._left(self.position.steps - done), self._left()
            left = f"{epoch} left, {run} of the run" if run else ""
            self.bar.update(0, completed=done, loss=logs["loss"], left=left)
        if not self.position.within_epoch:
            self.close()

    def on_epoch_end(self, epoch, logs=None):
        self.close()
        (first, start), (last, end) = self.epoch_first or self.epoch_last, self.epoch_last
        if last > first:
            logs[SPEED] = (last - first) * self.recipe.batch_size / (end - start)
        if self.position.within_epoch or not is_chief(self.model.distribute_strategy):
            return
        numbers = list(logs.items())
        numbers = numbers[:3] + [(name, value) for name, value in numbers[3:] if name == SPEED]
        numbers = "  ".join(f"{name} {value:.4g}" for name, value in numbers)
        left = self._left() if epoch + 1 < self.recipe.epochs else ""
        left = f"  {left} left" if left else ""
        print(f"epoch {epoch + 1}/{self.recipe.epochs}  {numbers}{left}", flush=True)

    def close(self):
        """Removes the bar from the terminal."""
        if self.bar:
            self.bar.stop()
            self.bar = None

    def _left(self, steps: int | None = None) -> str:
        """The time that `steps` more steps, or all, will take, with evaluations; "" at first."""
        if not self.first:
            return ""
        (first, start), step = self.first, self.position.step
        if steps is None:
            steps = self.recipe.epochs * self.position.steps - step
        seconds = (time.monotonic() - start) / (step - first) * steps
        return str(timedelta(seconds=round(seconds)))


class AfterFirstStep(keras.callbacks.Callback):
    """Calls a function after the first step of this process: work that need not come before it."""

    def __init__(self, work: Callable[[], object]):
        super().__init__()
        self.work = work

    def on_train_batch_end(self, batch, logs=None):
        if self.work:
            work, self.work = self.work, None
            work()


class Save(keras.callbacks.Callback):
    """Writes checkpoints: after each epoch, at intervals within it, and before the run stops.

    Args:
        position: how far the run is.
        folder: folder of the checkpoints.
        run: the values that a run must have to resume from the checkpoint.
        seconds: time between two checkpoints within an epoch.
        asked: if this event is set, the run ends after the current step.
        diverged: makes the error for weights that are not finite.
    """

    def __init__(
        self,
        position: Position,
        folder: Path,
        run: dict,
        seconds: float,
        asked: threading.Event,
        diverged: Callable[[str], FloatingPointError],
    ):
        super().__init__()
        self.position, self.folder, self.run = position, folder, run
        self.seconds, self.asked, self.diverged = seconds, asked, diverged
        self.last = time.monotonic()

    def on_train_batch_end(self, batch, logs=None):
        strategy = self.model.distribute_strategy
        several = isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy)
        if self.position.within_epoch and not (several and self.position.step % AGREED):
            stop = any_worker(strategy, self.asked.is_set())
            if stop or any_worker(strategy, time.monotonic() - self.last >= self.seconds):
                self._save()
            self.model.stop_training = self.model.stop_training or stop

    def on_epoch_end(self, epoch, logs=None):
        if not self.position.within_epoch:
            self._save()
            if any_worker(self.model.distribute_strategy, self.asked.is_set()):
                self.model.stop_training = True

    def _save(self):
        # All workers must take part in reading the metrics; only the chief writes them.
        arrays = {name: variable.numpy() for name, variable in resume.state(self.model).items()}
        weights = (array for name, array in arrays.items() if name.startswith("model/"))
        if not all(np.isfinite(array).all() for array in weights):
            raise self.diverged("The weights are not finite")
        if is_chief(self.model.distribute_strategy):
            with going_on():
                resume.write(self.folder, arrays, self.position, self.run)
        self.last = time.monotonic()


def is_due(recipe: Recipe, epoch: int) -> bool:
    """Whether the network is measured after this epoch, counted from 0."""
    every, done = recipe.evaluate_every, epoch + 1
    return every > 0 and (done % every == 0 or done == recipe.epochs)


def in_vain(position: Position, recipe: Recipe) -> bool:
    """Whether the last `patience` evaluations brought no better result."""
    return 0 < recipe.patience <= position.waited


def copy_weights(model: keras.Model, network: keras.Model) -> None:
    """Copies the weights of the trained model, or their averages if it has any, to a network."""
    optimizer = getattr(model.optimizer, "inner_optimizer", model.optimizer)
    averages = optimizer.averages()
    for variable, source in zip(network.weights, model.weights, strict=True):
        variable.assign(averages.get(source.path, source).numpy())


@contextlib.contextmanager
def going_on():
    """Inside, a file that cannot be written causes a line on stderr; the run goes on."""
    try:
        yield
    except (OSError, tf.errors.OpError) as error:
        print(f"{error} Training goes on.", file=sys.stderr)
