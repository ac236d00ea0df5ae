"""Writes the checkpoints of a run and resumes from them.

A checkpoint is one `.npz` file: every variable of the network, the optimizer and the running
metrics, and a `Position`. It needs no state of data and learning rate: both depend on the step
alone.
"""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np

from hrnet_tf.files import DAMAGE, whole

ABOUT = "about"  # name of the array with position and run, as JSON


@dataclasses.dataclass
class Position:
    """How far a run is.

    Attributes:
        steps: number of steps in an epoch.
        step: number of finished steps, of all epochs.
        rows: for each finished epoch, its row of `history.csv`.
        best: the best result so far on the validation data; None before the first evaluation.
        best_step: the step after which it was measured.
        waited: number of evaluations since the result last improved.
    """

    steps: int
    step: int = 0
    rows: list[dict[str, float]] = dataclasses.field(default_factory=list)
    best: float | None = None
    best_step: int = 0
    waited: int = 0

    @property
    def within_epoch(self) -> bool:
        """Whether an epoch has begun and not ended."""
        return self.step % self.steps > 0


@dataclasses.dataclass(frozen=True)
class Checkpoint:
    """The content of a checkpoint: arrays by the names of `state`, a position, the run's values."""

    path: Path
    arrays: dict[str, np.ndarray]
    position: Position
    run: dict


def state(model: keras.Model) -> dict[str, keras.Variable]:
    """Every variable that the rest of a run depends on, by names that are the same in each run."""
    groups = {
        "model": [(v.path, v) for v in model.variables],
        "optimizer": [(v.name, v) for v in model.optimizer.variables],
        "metric": [(v.name, v) for v in model.metrics_variables],
    }
    return {
        f"{group}/{number}/{name}": variable
        for group, variables in groups.items()
        for number, (name, variable) in enumerate(variables)
    }


def write(folder: Path, arrays: dict[str, np.ndarray], position: Position, run: dict) -> None:
    """Writes a checkpoint, then deletes all older ones except the last.

    Args:
        folder: folder of the checkpoints.
        arrays: values of `state`.
        position: how far the run is.
        run: the values that a run must have to resume from the checkpoint.

    Raises:
        OSError: it cannot be written; older checkpoints are kept, and no partial file is left.
    """
    about = json.dumps({"position": dataclasses.asdict(position), "run": run})
    path = folder / f"step_{position.step:09d}.npz"
    folder.mkdir(parents=True, exist_ok=True)
    with whole(path) as part:
        np.savez(part, **arrays, **{ABOUT: np.frombuffer(about.encode(), np.uint8)})
    kept = _paths(folder)[-2:]
    needed = {best_path(folder, _about(each)["position"]["best_step"]) for each in kept}
    for each in (*folder.glob("*.npz"), *folder.glob(".*.npz")):
        if each not in kept and each not in needed:
            each.unlink()


def best_path(folder: Path, step: int) -> Path:
    """The file for the weights of the evaluation after this step, if it is the best so far."""
    return folder / f"best_{step:09d}.npz"


def write_best(folder: Path, network: keras.Model, step: int) -> None:
    """Saves the weights of a network; they are kept while a checkpoint refers to them as the best.

    Raises:
        OSError: the file cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with whole(best_path(folder, step)) as part:
        np.savez(part, *(variable.numpy() for variable in network.weights))


def read_best(folder: Path, network: keras.Model, step: int) -> None:
    """Loads the weights that `write_best` saved into a network.

    Raises:
        ValueError: the file is missing or damaged.
    """
    path = best_path(folder, step)
    try:
        with open(path, "rb") as file, np.load(file) as content:
            arrays = [content[name] for name in content.files]
    except (OSError, *DAMAGE) as error:
        raise ValueError(
            f"{path}: the best weights of the run cannot be read ({error}). Start anew with "
            "--overwrite."
        ) from error
    for variable, array in zip(network.weights, arrays, strict=True):
        variable.assign(array)


def read(path: Path) -> Checkpoint:
    """Reads a checkpoint.

    Raises:
        OSError: there is no such file, or reading is not permitted.
        ValueError: it is damaged, or is not a checkpoint.
    """
    try:
        about = _about(path)
        # Opened here, since `np.load` does not close a file that it fails to read.
        with open(path, "rb") as file, np.load(file) as content:
            arrays = {name: content[name] for name in content.files if name != ABOUT}
        return Checkpoint(path, arrays, Position(**about["position"]), about["run"])
    except DAMAGE as error:
        reason = str(error).split("\n")[0] or type(error).__name__
        raise ValueError(f"{path} is damaged ({reason})") from error


def newest(folder: Path, report: Callable[[str], None]) -> Checkpoint | None:
    """The last undamaged checkpoint; deletes damaged later ones, with a line to `report` each."""
    for path in reversed(_paths(folder)):
        try:
            return read(path)
        except ValueError as error:
            path.unlink()
            report(f"{error} and deleted; the checkpoint before it is used, if there is one.")
    return None


def restore(model: keras.Model, checkpoint: Checkpoint) -> None:
    """Loads the values of a checkpoint into a compiled model, its optimizer and its metrics.

    Raises:
        ValueError: the checkpoint is of another network; the model is not changed.
    """
    variables, arrays = state(model), checkpoint.arrays
    shapes = {name: tuple(variable.shape) for name, variable in variables.items()}
    found = {name: array.shape for name, array in arrays.items()}
    for name in dict.fromkeys([*shapes, *found]):
        if shapes.get(name) != found.get(name):
            raise ValueError(
                f"{checkpoint.path} is of another network or optimizer: {name} is "
                f"{found.get(name, 'not there')}, here {shapes.get(name, 'not there')}. "
                "Choose another --workdir, or add --overwrite."
            )
    for name, variable in variables.items():
        variable.assign(arrays[name])


def differences(there: dict, here: dict) -> str:
    """Lists the values that differ between two runs, as text; empty if none does."""
    names = [name for name in dict.fromkeys([*there, *here]) if there.get(name) != here.get(name)]
    both = {name: [str(each.get(name))[:60] for each in (there, here)] for name in names}
    return ", ".join(f"{name} {old} there, {new} here" for name, (old, new) in both.items())


def _about(path: Path) -> dict:
    with open(path, "rb") as file, np.load(file) as content:
        return json.loads(content[ABOUT].tobytes())


def _paths(folder: Path) -> list[Path]:
    return sorted(folder.glob("step_*.npz"))
