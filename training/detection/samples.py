"""The view of `inspect`: inputs with boxes and masks as in training, and facts about the data."""

import dataclasses
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from hrnet_tf.training.data.order import order
from hrnet_tf.training.data.sources import look, to_stderr
from hrnet_tf.training.detection.batches import batches
from hrnet_tf.training.detection.panels import drawn, objects_of
from hrnet_tf.training.detection.pictures import Pictures, from_records
from hrnet_tf.training.detection.readers import Record
from hrnet_tf.training.detection.recipe import DetectionRecipe
from hrnet_tf.training.detection.source import read_of
from hrnet_tf.training.report.inspect import View
from hrnet_tf.training.report.page import bars, listing

SIZES = {"below 32 pixels": 32, "32 to 96 pixels": 96, "96 pixels and more": np.inf}
PLAIN = {"scale_range": (1.0, 1.0), "flip_probability": 0.0, "color_jitter": 0.0, "train_sides": ()}

GUIDE = """Each picture is an image of the first steps of training: before augmentation, and as the
network gets it, with its objects. Look for boxes and masks that sit beside their objects, for
objects without a box, and for wrong names."""


def view(recipe: DetectionRecipe) -> View:
    """The view of the images of a recipe for `inspect`.

    Raises:
        OSError: the data cannot be read.
        ValueError: there is nothing to train on.
    """
    problems = []

    def report(line):
        problems.append(line)
        to_stderr(line)

    records = read_of(recipe, "train", report)
    for record in records:
        if reason := look(record.image).flaw:
            problems.append(f"{record.image.path} cannot be trained on: {reason}.")
    source = from_records(records)
    return View(
        count=len(source),
        findings=_findings(records, recipe, problems),
        guide=GUIDE,
        samples=_samples(recipe, source),
    )


def _samples(recipe: DetectionRecipe, source: Pictures) -> Iterator[tuple[np.ndarray, str]]:
    """Yields training inputs in their order, each a picture of two panels with a caption."""
    plain = dataclasses.replace(recipe, **PLAIN)  # the same images in the same order
    streams = (batches(source, each, augment=True) for each in (plain, recipe))
    for step, pair in enumerate(zip(*streams, strict=True)):
        which = order(len(source), recipe.batch_size, recipe.seed, step)
        for row, number in enumerate(which):
            panels = [_panel(batch, row, recipe) for batch in pair]
            yield np.concatenate(panels, axis=1), Path(source.rows["name"][number]).name


def _panel(batch, row, recipe):
    inputs, targets, _ = batch
    image = (inputs["image"] if isinstance(inputs, dict) else inputs)[row]
    own = {name: np.array(each[row]) for name, each in targets.items()}
    return drawn(recipe.card.denormalize(np.array(image)), objects_of(own), recipe.card)


def _findings(records: Sequence[Record], recipe: DetectionRecipe, problems: Sequence[str]) -> str:
    """HTML with facts and problems of the annotations."""
    names = recipe.classes
    seen = Counter(names[kind] for record in records for kind in record.classes)
    sides = np.concatenate([np.sqrt(np.prod(r.boxes[:, 2:] - r.boxes[:, :2], 1)) for r in records])
    masks = sum(bool(mask) for record in records for mask in record.masks)
    places = np.searchsorted(list(SIZES.values()), sides, side="right")
    sizes = {name: int((places == i).sum()) for i, name in enumerate(SIZES)}
    most = max(len(record.classes) for record in records)
    remarks = [f"{name} is in no image." for name in names if not seen[name]]
    lines = f"<h2>Left out: {len(problems)}</h2>{listing(tuple(problems))}" if problems else ""
    if remarks:
        lines += f"<h2>Looks wrong: {len(remarks)}</h2>{listing(tuple(remarks))}"
    return f"""<p>{len(sides)} objects, {masks} of them with a mask; at most {most} in an image.</p>
{lines}
<h2>Classes</h2>
<p>How many of the objects are of each.</p>
{bars({name: seen[name] for name in names}, len(sides))}
<h2>Sizes</h2>
<p>Square roots of the areas of boxes, in pixels of the images.</p>
{bars(sizes, len(sides))}"""
