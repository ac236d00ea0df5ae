"""`inspect`: a page with crops and targets as a training would use them."""

import dataclasses
import html
import itertools
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from hrnet_tf.files import prepare_folder, whole
from hrnet_tf.training.data.order import steps_per_epoch
from hrnet_tf.training.data.sources import read_annotated, to_stderr
from hrnet_tf.training.recipe import Recipe
from hrnet_tf.training.report.page import figure, listing, page
from hrnet_tf.training.task import Training, training_named


@dataclasses.dataclass(frozen=True)
class View:
    """A task's view of the training data of a recipe; texts are HTML.

    Attributes:
        count: number of items to train on.
        findings: facts and problems of the annotation file.
        guide: explains the pictures of the samples.
        samples: pictures (H, W, 3) uint8 with captions, in the order of training, endless.
        notes: text after the samples, with headings.
    """

    count: int
    findings: str
    guide: str
    samples: Iterator[tuple[np.ndarray, str]]
    notes: str = ""


def write_samples(
    recipe: Recipe, folder: str | Path, count: int = 12, overwrite: bool = False
) -> Path:
    """Writes a page, `index.html`, to a folder, and returns its path.

    The page needs no other file. With `recipe.json`, which is written beside it, `train` uses the
    same crops.

    Raises:
        OSError: the data cannot be read, or the page cannot be written.
        ValueError: there is nothing to train on, or there is a page already and `overwrite` is
            False.
    """
    folder = prepare_folder(folder, ["index.html", "recipe.json"], overwrite=overwrite)
    training = training_named(recipe.task)
    recipe = training.settle(recipe)
    view = training.inspect(recipe)
    lines = _validation(recipe, training)
    for line in lines:
        to_stderr(line)
    told = f"<h2>Validation data: {len(lines)} lines</h2>{listing(tuple(lines))}" if lines else ""
    samples = itertools.islice(view.samples, count)
    pictures = "".join(figure(picture, caption) for picture, caption in samples)
    (height, width), steps = recipe.input_size, steps_per_epoch(view.count, recipe.batch_size)
    body = f"""<p>{view.count} {training.counted} to train on, which makes {steps} steps an epoch of
{recipe.batch_size} crops, {height} pixels high and {width} wide; {recipe.epochs} epochs.</p>
{view.findings}
{told}
<h2>Crops</h2>
<p>{view.guide}</p>
<div class="wide">{pictures}</div>
{view.notes}
<h2>Recipe</h2>
<pre>{html.escape(recipe.to_json())}</pre>"""
    files = {"recipe.json": recipe.to_json(), "index.html": page("What the network will see", body)}
    for name, text in files.items():
        with whole(folder / name) as part:
            part.write_text(text, encoding="utf-8")
    return folder / "index.html"


def _validation(recipe: Recipe, training: Training) -> list[str]:
    """The lines that the evaluations of a run would give, whose pictures are decoded for them."""
    if not recipe.val_annotations:
        return []
    lines = []
    try:
        wanted = training.evaluator(recipe.card, training.scored(recipe), lines.append).wanted
    except (OSError, ValueError) as error:
        return [*lines, f"`train` will stop at its validation data: {error}"]

    def decoded(image):
        try:
            read_annotated(image.path, image.size, image.part)
        except (OSError, ValueError) as error:
            return str(error)
        return None

    places = {(each.path, each.part): each for each in wanted}
    with ThreadPoolExecutor() as pool:
        lines += filter(None, pool.map(decoded, places.values()))
    return list(dict.fromkeys(lines))
