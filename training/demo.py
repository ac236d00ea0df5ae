"""What the demos of all tasks share: the order of their steps, and the end of their pages."""

import html
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from hrnet_tf.files import whole
from hrnet_tf.training.data.synthetic.scenes import write_dataset
from hrnet_tf.training.evaluate import Evaluation
from hrnet_tf.training.loop.workdir import empty_folder
from hrnet_tf.training.recipe import Recipe
from hrnet_tf.training.report.curves import curves, read_history
from hrnet_tf.training.report.page import page
from hrnet_tf.training.train import train, validate

SEED = 2019  # of the scenes to learn from


def run(
    folder: str | Path,
    overwrite: bool,
    drawn: str,
    draw: Callable[[Path], Recipe],
    write: Callable[[Path, Recipe, Evaluation, float], Path],
    names: Mapping[str, str],
) -> Path:
    """Draws, trains, evaluates and writes a page; prints what it does.

    Args:
        folder: receives the folders "drawings" and "model" and what `write` writes.
        overwrite: replace an earlier demo there.
        drawn: what is drawn, for people, such as "800 scenes to learn from".
        draw: folder for the drawings -> the recipe to train by.
        write: (folder, recipe, evaluation, minutes of training) -> path of the page.
        names: of the evaluation's numbers that are printed, and what people call each.

    Raises:
        FileExistsError: `folder` is not empty and `overwrite` is False.
    """
    folder = empty_folder(folder, overwrite)
    for earlier in (folder / "drawings", folder / "model"):
        shutil.rmtree(earlier, ignore_errors=True)
    start = time.perf_counter()
    print(f"1/4  Drawing {drawn}")
    recipe = draw(folder / "drawings")
    print("2/4  Training; the first step takes longest", flush=True)
    before = time.perf_counter()
    model_path = train(recipe, folder / "model")
    minutes = (time.perf_counter() - before) / 60
    print("3/4  Judging")
    evaluation = validate(recipe, model_path)
    print("4/4  Making the page")
    path = write(folder, recipe, evaluation, minutes)
    seconds = time.perf_counter() - start
    numbers = evaluation.numbers
    said = ", ".join(f"{name} {numbers[key]:.3f}" for key, name in names.items() if key in numbers)
    print(f"{said} on held-out drawings after {seconds:.0f} s: {path}")
    return path


def of_scenes(
    recipe: Recipe, drawings: Path, counts: tuple[int, int], annotations: str, **options: object
) -> Recipe:
    """Draws scenes to learn from and scenes to be judged by; returns the recipe with their paths.

    Args:
        recipe: of any task.
        drawings: receives the folders "train" and "held_out".
        counts: of scenes in each.
        annotations: name of the annotations that the task reads, in each folder.
        options: of `write_dataset`.
    """
    paths = {}
    folders = {"train": "train", "val": "held_out"}
    for number, (use, name) in enumerate(folders.items()):
        path = write_dataset(drawings / name, counts[number], seed=SEED + number, **options)
        folder = path.parent
        paths[f"{use}_annotations"] = str(folder / annotations)
        paths[f"{use}_images"] = str(folder / "images")
    return replace(recipe, **paths)


def write_index(folder: Path, title: str, body: str, commands: str) -> Path:
    """Writes the page: the body, how the network learned, and commands to go on with."""
    history = read_history(folder / "model" / "history.csv")
    body = f"""{body}
<h2>How did it learn?</h2>
<figure>{curves(history)}<figcaption>After each pass over the drawings.</figcaption></figure>
<h2>And now?</h2>
<pre>{html.escape(commands)}</pre>"""
    with whole(folder / "index.html") as part:
        part.write_text(page(title, body), encoding="utf-8")
    return folder / "index.html"
