"""The view of `inspect`: crops and masks as in training, and facts about the data."""

import dataclasses
import html
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from hrnet_tf.labels.label_values import IGNORED
from hrnet_tf.tasks.drawing import legend
from hrnet_tf.tasks.segmentation.draw import painted
from hrnet_tf.training.data.order import order
from hrnet_tf.training.data.sources import to_stderr
from hrnet_tf.training.report.inspect import View
from hrnet_tf.training.report.page import bars, listing
from hrnet_tf.training.segmentation.batches import batches
from hrnet_tf.training.segmentation.check import Findings, examine
from hrnet_tf.training.segmentation.panels import LOGITS
from hrnet_tf.training.segmentation.pictures import Pictures, from_records
from hrnet_tf.training.segmentation.recipe import SegmentationRecipe
from hrnet_tf.training.segmentation.source import annotated, training_pictures

LEAST_WIDTH = 320  # pixels; smaller crops are enlarged to this
PLAIN = {
    "scale_range": (1.0, 1.0),
    "flip_probability": 0.0,
    "random_brightness": False,
    "color_jitter": 0.0,
}

GUIDE = """Each picture is a crop of the first steps of training: before augmentation, as the
network gets it, and under its classes; pixels without a class have no colour. Look for classes that
sit beside their place, and for wrong names in the legend: then the numbers or colours of the masks
mean something else than the recipe says."""


def view(recipe: SegmentationRecipe) -> View:
    """The view of the pictures of a recipe for `inspect`.

    Raises:
        OSError: the data cannot be read.
        ValueError: there is nothing to train on.
    """
    if recipe.train_records:
        pictures, findings = training_pictures(recipe), ""
    else:
        problems = []

        def report(line):
            problems.append(line)
            to_stderr(line)

        found = annotated(recipe, "train", report)
        pictures = from_records(found.records, found.meaning)
        findings = _findings(examine(found, recipe.classes.names, problems))
    return View(
        count=len(pictures),
        findings=findings,
        guide=GUIDE,
        samples=_samples(recipe, pictures),
        notes=f"<h2>Flip pairs</h2>\n<p>{_pairs(recipe)}</p>",
    )


def _samples(recipe: SegmentationRecipe, source: Pictures) -> Iterator[tuple[np.ndarray, str]]:
    """Yields training crops in their order, each a picture of three panels with a caption."""
    card, classes = recipe.card, recipe.classes
    factor = -(-LEAST_WIDTH // recipe.input_size[1])
    plain = dataclasses.replace(recipe, **PLAIN)  # the same pictures in the same order
    streams = (batches(source, each, augment=True) for each in (plain, recipe))
    for step, (before, after) in enumerate(zip(*streams, strict=True)):
        which = order(len(source), recipe.batch_size, recipe.seed, step)
        (old, _), (new, truth) = (_arrays(batch) for batch in (before, after))
        old, new = card.denormalize(old), card.denormalize(new)
        for row, number in enumerate(which):
            mask = truth[row]
            shown = [*np.unique(mask[mask != IGNORED])]
            first, second, large = (_enlarged(x, factor) for x in (old[row], new[row], mask))
            colored = painted(second, large, classes.palette)
            panels = np.concatenate([first, second, colored], axis=1)
            entries = [(classes.names[i], classes.palette[i]) for i in shown]
            below = legend(entries, panels.shape[1], max(panels.shape[:2]))
            yield np.concatenate([panels, below]), Path(source.rows["name"][number]).name


def _enlarged(pixels, factor):
    """Pixels (H, W, …), each repeated: thin regions stay visible under outlines."""
    return pixels.repeat(factor, axis=0).repeat(factor, axis=1)


def _arrays(batch):
    crops, targets, _ = batch
    targets = targets[LOGITS] if isinstance(targets, dict) else targets
    return np.array(crops), np.array(targets)


def _findings(found: Findings) -> str:
    """HTML with facts and problems of the annotations."""
    shares = {name: round(1000 * share) for name, share in found.shares.items()}
    return f"""<p>{found.ignored:.1%} of the pixels have no class.</p>
{_lines("Left out", found.problems)}{_lines("Used, but looks wrong", found.remarks)}
<h2>Classes</h2>
<p>In how many of {found.pictures} pictures each is seen.</p>
{bars(found.shown, found.pictures)}
<p>How many of a thousand pixels with a class are of each.</p>
{bars(shares, 1000)}"""


def _lines(title: str, lines: tuple[str, ...]) -> str:
    return f"<h2>{title}: {len(lines)}</h2>{listing(lines)}" if lines else ""


def _pairs(recipe: SegmentationRecipe) -> str:
    names = [html.escape(name) for name in recipe.classes.names]
    pairs = [f"{names[a]} ↔ {names[b]}" for a, b in recipe.classes.flip_pairs]
    return " · ".join(pairs) or "None: mirrored pictures keep their classes."
