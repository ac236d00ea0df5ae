"""What a network will see: crops as training gets them, their targets, and facts of the data."""

import dataclasses
import html
import itertools
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from hrnet_tf.files import prepare_folder, whole
from hrnet_tf.labels.keypoints import LEFT, RIGHT, KeypointSet
from hrnet_tf.training.pose.batches import batches, order, steps_per_epoch
from hrnet_tf.training.pose.check import check
from hrnet_tf.training.pose.people import People
from hrnet_tf.training.pose.pictures import (
    by_side,
    crop_pixels,
    draw_points,
    enlarge,
    joint_maps,
    overlay,
)
from hrnet_tf.training.pose.source import training_people
from hrnet_tf.training.recipe import Recipe
from hrnet_tf.training.report.page import bars, figure, listing, page

LEAST_WIDTH = 384  # pixels: smaller crops are drawn so much larger that lines stay fine
PLAIN = {
    "half_body_probability": 0.0,
    "scale_factor": 0.0,
    "rotation_probability": 0.0,
    "flip_probability": 0.0,
    "color_jitter": 0.0,
    "cutout_probability": 0.0,
}

GUIDE = """Each picture is a crop of the first steps of training: before augmentation, as the
network gets it, and under its target. Look for joints that sit beside their place, for crops that
cut people off, and for sides: {left} and {right} are the two halves of the flip pairs, left and
right of the person where their names say so. They must stay so in mirrored crops, or else the pairs
are wrong."""


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
    people = training_people(recipe)
    samples = itertools.islice(_samples(recipe, people), count)
    pictures = "".join(figure(picture, caption) for picture, caption in samples)
    (height, width), steps = recipe.input_size, steps_per_epoch(len(people), recipe)
    body = f"""<p>{len(people)} people to train on, which makes {steps} steps an epoch of
{recipe.batch_size} crops, {height} pixels high and {width} wide; {recipe.epochs} epochs.</p>
{"" if recipe.train_records else _findings(recipe, people)}
<h2>Crops</h2>
<p>{GUIDE.format(left=_key(LEFT), right=_key(RIGHT))}</p>
<div class="wide">{pictures}</div>
<h2>Flip pairs</h2>
<p>{_pairs(recipe.keypoints)}</p>
<h2>Recipe</h2>
<pre>{html.escape(recipe.to_json())}</pre>"""
    files = {"recipe.json": recipe.to_json(), "index.html": page("What the network will see", body)}
    for name, text in files.items():
        with whole(folder / name) as part:
            part.write_text(text, encoding="utf-8")
    return folder / "index.html"


def _samples(recipe: Recipe, people: People) -> Iterator[tuple[np.ndarray, str]]:
    """Crops of training in their order, each as a picture of three panels with a caption."""
    card, keypoints = recipe.card, recipe.keypoints
    keypoints = by_side(keypoints) if keypoints.flip_pairs else keypoints
    factor = -(-LEAST_WIDTH // recipe.input_size[1])
    plain = dataclasses.replace(recipe, **PLAIN)  # the same people in the same order
    streams = (batches(people, each, augment=True) for each in (plain, recipe))
    for step, pair in enumerate(zip(*streams, strict=True)):
        who = order(len(people), recipe, step)
        (before, *start), (after, maps, weights) = ([np.array(x) for x in each] for each in pair)
        before, after = crop_pixels(before, card), crop_pixels(after, card)
        old, new = (_shown(recipe, *targets) for targets in (start, (maps, weights)))
        heat = joint_maps(maps, card).max(axis=-1)
        for row, person in enumerate(who):
            panels = (
                draw_points(before[row], old[0][row], old[1][row], keypoints, factor),
                draw_points(after[row], new[0][row], new[1][row], keypoints, factor),
                overlay(enlarge(after[row], factor), heat[row]),
            )
            yield np.concatenate(panels, axis=1), Path(people.rows["name"][person]).name


def _shown(recipe: Recipe, maps: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where targets lie in the crop (B, K, 2), and which there are (B, K)."""
    points, scores = (np.array(each) for each in recipe.codec.decode(maps))
    return points, (scores > 0) & (weights[:, 0, 0] > 0)


def _findings(recipe: Recipe, people: People) -> str:
    """What the annotation file holds, and what is wrong with it."""
    found = check(
        recipe.train_annotations, recipe.train_images, recipe.keypoints, recipe.data_format
    )
    tall = np.median(people.rows["box"][:, 3])
    return f"""<p>They are in {found.images} images, and half of their boxes are taller than
{tall:.0f} pixels. {found.crowds} crowds and {found.unlabelled} people without a labelled keypoint
are not trained on.</p>
{_lines("Left out", found.problems)}{_lines("Used, but looks wrong", found.remarks)}
<h2>Keypoints</h2>
<p>In how many of {found.people} people each is labelled.</p>
{bars(found.labelled, found.people)}"""


def _lines(title: str, lines: tuple[str, ...]) -> str:
    return f"<h2>{title}: {len(lines)}</h2>{listing(lines)}" if lines else ""


def _pairs(keypoints: KeypointSet) -> str:
    names = [html.escape(name) for name in keypoints.names]
    pairs = [f"{names[a]} ↔ {names[b]}" for a, b in keypoints.flip_pairs]
    paired = {i for pair in keypoints.flip_pairs for i in pair}
    alone = ", ".join(name for i, name in enumerate(names) if i not in paired)
    return f"{' · '.join(pairs) or 'None.'}</p><p>Without a partner: {alone or 'none'}."


def _key(color: tuple[int, int, int]) -> str:
    return f'<span class="key" style="background: rgb{color}"></span>'
