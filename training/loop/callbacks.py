"""What happens around the steps of `fit`: counting, judging, saving, telling.

The order of the classes is the order of their work. Each runs on every worker; what only the chief
does, it does where it is given what that takes.
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
from hrnet_tf.training.loop.resume import Position
from hrnet_tf.training.recipe import Recipe

SPEED = "images_per_second"
AGREED = 20  # steps after which several workers ask each other

Measure = Callable[[], tuple[dict[str, float], float]]


class Count(keras.callbacks.Callback):
    """Counts the steps, goes on with the metrics of an interrupted epoch, and stops at NaN.

    Args:
        position: counts here.
        metrics: what the variables of the metrics were when an epoch was interrupted.
        keep_batch: saves the batch of a step, and says in a sentence where.
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
        # The mean over the epoch so far, which one bad step spoils at once.
        if not math.isfinite(logs["loss"]):
            raise self.diverged(f"The loss is {logs['loss']}")

    def diverged(self, what: str) -> FloatingPointError:
        """The error to raise when the last step has spoiled the run; saves its batch."""
        step = self.position.step
        return FloatingPointError(
            f"{what} after step {step}, in epoch {(step - 1) // self.position.steps + 1}. "
            f"{self.keep_batch(step - 1)} The checkpoints are from before. Look at the batch, or "
            "try a lower `learning_rate`, a `clip_norm` or another `precision` in another folder."
        )


class Judge(keras.callbacks.Callback):
    """Measures every few epochs and after the last, keeps the best weights, ends a vain run.

    Args:
        position: knows the best result so far.
        recipe: `evaluate_every`, `patience` and `epochs`.
        folder: of the checkpoints, for the best weights.
        network: the plain copy that is measured, with what is trained around it.
        measure: numbers for the log, and the one that decides, better when larger; None on workers
            that leave this to the chief, and without validation data.
    """

    def __init__(
        self,
        position: Position,
        recipe: Recipe,
        folder: Path,
        network: keras.Model,
        measure: Measure | None,
    ):
        super().__init__()
        self.position, self.recipe, self.folder = position, recipe, folder
        self.network, self.measure = network, measure

    def on_epoch_end(self, epoch, logs=None):
        position = self.position
        if position.within_epoch:
            return
        if self.measure and is_due(self.recipe, epoch):
            copy_weights(self.model, self.network)
            numbers, main = self.measure()
            logs.update(numbers)
            best = -math.inf if position.best is None else position.best
            position.waited = 0 if main > best else position.waited + 1
            if main >= best:  # of equals the last, as in the original
                with going_on():
                    resume.write_best(self.folder, self.network, position.step)
                    position.best, position.best_step = main, position.step
        if any_worker(self.model.distribute_strategy, in_vain(position, self.recipe)):
            self.model.stop_training = True


class History(keras.callbacks.Callback):
    """Writes a line per epoch to a CSV file, which is at any time whole and free of gaps."""

    def __init__(self, position: Position, path: Path):
        super().__init__()
        self.position, self.path = position, path

    def on_train_begin(self, logs=None):
        self._write()  # an interrupted run may have got further than its last checkpoint

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
    """A line per epoch, and on a terminal a bar for the epoch under way.

    Adds `images_per_second` to the log.
    """

    def __init__(self, position: Position, recipe: Recipe):
        super().__init__()
        self.position, self.recipe = position, recipe
        self.first = self.epoch_first = None  # (step, seconds) after the first step, which compiles
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

    def on_train_batch_end(self, batch, logs=None):
        now = (self.position.step, time.monotonic())
        self.first = self.first or now
        self.epoch_first = self.epoch_first or now
        self.epoch_last = now
        if self.bar:
            done = (self.position.step - 1) % self.position.steps + 1
            epoch, run = self._left(self.position.steps - done), self._left()
            left = f"{epoch} left, {run} of the run" if run else ""
            self.bar.update(0, completed=done, loss=logs["loss"], left=left)
        if not self.position.within_epoch:
            self.close()

    def on_epoch_end(self, epoch, logs=None):
        self.close()
        (first, start), (last, end) = self.epoch_first, self.epoch_last
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
        """Takes the bar off the terminal."""
        if self.bar:
            self.bar.stop()
            self.bar = None

    def _left(self, steps: int | None = None) -> str:
        """Time for so many steps, or all, at the pace so far with its evaluations; "" at first."""
        (first, start), step = self.first, self.position.step
        if steps is None:
            steps = self.recipe.epochs * self.position.steps - step
        if step == first:
            return ""
        seconds = (time.monotonic() - start) / (step - first) * steps
        return str(timedelta(seconds=round(seconds)))


class Save(keras.callbacks.Callback):
    """Checkpoints after every epoch, every so many seconds, and when the run is asked to stop.

    Args:
        position: where the run is.
        folder: of the checkpoints.
        run: what must be equal for the run to go on.
        seconds: between two checkpoints within an epoch.
        asked: set from outside to end the run after the step under way.
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
        # Reading the metrics takes all workers, writing them one.
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
    """Whether the results have not got better for too long."""
    return 0 < recipe.patience <= position.waited


def copy_weights(model: keras.Model, network: keras.Model) -> None:
    """Gives a plain network the weights of the trained one, averaged if there are averages."""
    optimizer = getattr(model.optimizer, "inner_optimizer", model.optimizer)
    averages = optimizer.averages()
    for variable, source in zip(network.weights, model.weights, strict=True):
        variable.assign(averages.get(source.path, source).numpy())


@contextlib.contextmanager
def going_on():
    """A file that cannot be written costs a line, not the run."""
    try:
        yield
    except (OSError, tf.errors.OpError) as error:
        print(f"{error} Training goes on.", file=sys.stderr)
