"""The folder of a run: whether it is new or holds an unfinished run, a finished one or others."""

import json
import shutil
from pathlib import Path

from hrnet_tf.files import parse_json, whole
from hrnet_tf.training.data.sources import how_to_draw
from hrnet_tf.training.loop.resume import differences
from hrnet_tf.training.recipe import Recipe, completed
from hrnet_tf.weights.download import is_url

RESULTS = ("model.keras", "model.json", "recipe.json", "history.csv", "curves.svg", "bad_batch.npz")

FOLDERS = ("checkpoints", "tensorboard")
GOING_ON = "going_on.txt"  # is there while a finished run is trained for more epochs


def open_workdir(workdir: str | Path, recipe: Recipe, overwrite: bool) -> Path:
    """Creates the folder of a run, or accepts one with an unfinished run of the same recipe.

    A run of the same recipe with fewer epochs is accepted, too, finished or not: it goes on.
    Afterwards the folder holds the recipe in `recipe.json`.

    Raises:
        FileExistsError: it is no folder, or holds anything else, and `overwrite` is False.
        OSError: it cannot be written.
    """
    workdir = Path(workdir)
    earlier = workdir / "recipe.json"
    if overwrite or not earlier.is_file():
        empty_folder(workdir, overwrite)
    else:
        _accept(workdir, recipe)
    if overwrite:
        for name in (*RESULTS, GOING_ON):
            (workdir / name).unlink(missing_ok=True)
        for name in FOLDERS:
            shutil.rmtree(workdir / name, ignore_errors=True)
    with whole(earlier) as part:
        part.write_text(recipe.to_json(), encoding="utf-8")
    return workdir


def _accept(workdir: Path, recipe: Recipe) -> None:
    """Raises FileExistsError unless the run in a folder can go on with a recipe."""
    there, here = _values(workdir), json.loads(recipe.to_json())
    finished = is_finished(workdir)
    again = f" To train on from its result, add --weights={workdir / 'model.keras'} and another "
    again = again + "--workdir." if finished else ""
    if differing := differences_but_length(there, here):
        raise FileExistsError(
            f"{workdir} holds a run of another recipe ({differing}): choose another folder, or "
            f"replace its results with --overwrite.{again}"
        )
    if finished and not is_longer(there, here):
        raise FileExistsError(
            f"{workdir} holds a finished run of this recipe: raise --epochs to go on, choose "
            f"another folder, or replace its results with --overwrite.{again}"
        )
    if finished and not any((workdir / "checkpoints").glob("step_*.npz")):
        raise FileExistsError(
            f"{workdir} has no checkpoints to go on from: choose another folder, or replace its "
            f"results with --overwrite.{again}"
        )
    if finished:
        with whole(workdir / GOING_ON) as part:
            part.write_text(
                f"model.keras is of {there['epochs']} epochs. The run goes on to {recipe.epochs}.\n"
            )


def differing_values(workdir: Path, recipe: Recipe) -> str:
    """Lists the values that differ from the recipe of the run in a folder; empty if none does."""
    return differences(_values(workdir), json.loads(recipe.to_json()))


def _values(workdir):
    """The values of the recipe of the run in a folder."""
    path = workdir / "recipe.json"
    there = parse_json(path.read_bytes(), path)
    return completed(there) if isinstance(there, dict) else {}


def differences_but_length(there: dict, here: dict) -> str:
    """`differences` of two recipes, of which the second may have more epochs."""
    longer = {"epochs": here["epochs"]} if is_longer(there, here) else {}
    return differences(there | longer, here)


def is_longer(there: dict, here: dict) -> bool:
    """Whether a run has more epochs than another; both as the values of their recipes."""
    counts = there.get("epochs"), here.get("epochs")
    return all(type(each) is int for each in counts) and counts[0] < counts[1]


def is_finished(workdir: Path) -> bool:
    """Whether the run in a folder has saved its model."""
    saved = all((workdir / name).is_file() for name in ("model.keras", "model.json"))
    return saved and not (workdir / GOING_ON).exists()


def check_files(recipe: Recipe) -> None:
    """Raises FileNotFoundError if a file that a recipe names does not exist."""
    files = {
        "train_annotations": "" if recipe.train_records else recipe.train_annotations,
        "val_annotations": recipe.val_annotations,
    }
    if Path(recipe.weights).suffix and not is_url(recipe.weights):
        files["weights"] = recipe.weights
    for name, path in files.items():
        place = Path(path)
        if path and not (place.is_file() or (place.is_dir() and name != "weights")):
            kind = "a file" if name == "weights" else "a file or a folder"
            raise FileNotFoundError(
                f"`{name}` must be {kind}. Received: {name}={path}.{how_to_draw(place)}"
            )


def empty_folder(folder: str | Path, overwrite: bool) -> Path:
    """Creates a folder if it does not exist, and returns it; with `overwrite` it may have files.

    Raises:
        FileExistsError: it is no folder, or it is not empty and `overwrite` is False.
        OSError: it cannot be created.
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
