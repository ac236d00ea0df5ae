"""`inspect`: a page with what a network will see, as training gets it."""

import dataclasses
import html
import itertools
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from hrnet_tf.files import prepare_folder, whole
from hrnet_tf.training.data.order import steps_per_epoch
from hrnet_tf.training.recipe import Recipe
from hrnet_tf.training.report.page import figure, page
from hrnet_tf.training.task import training_named


@dataclasses.dataclass(frozen=True)
class View:
    """What a task shows of the data of a recipe; texts are HTML.

    Attributes:
        count: of what there is to train on.
        findings: what the annotation file holds, and what is wrong with it.
        guide: how to look at the samples.
        samples: pictures (H, W, 3) uint8 with captions, in the order of training, without end.
        notes: what follows them, with headings.
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

    The page needs no other file. `recipe.json` beside it is what `train` needs for the same crops.

    Raises:
        OSError: the data cannot be read or the page not be written.
        ValueError: there is nothing that could be trained on, or a page there already and
            `overwrite` is False.
    """
    folder = prepare_folder(folder, ["index.html", "recipe.json"], overwrite=overwrite)
    training = training_named(recipe.task)
    view = training.inspect(recipe)
    samples = itertools.islice(view.samples, count)
    pictures = "".join(figure(picture, caption) for picture, caption in samples)
    (height, width), steps = recipe.input_size, steps_per_epoch(view.count, recipe.batch_size)
    body = f"""<p>{view.count} {training.counted} to train on, which makes {steps} steps an epoch of
{recipe.batch_size} crops, {height} pixels high and {width} wide; {recipe.epochs} epochs.</p>
{view.findings}
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
