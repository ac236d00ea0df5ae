"""The view of `inspect`: crops and targets as in training, and facts about the data."""

import dataclasses
import html
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from hrnet_tf.labels.keypoints import LEFT, RIGHT, KeypointSet
from hrnet_tf.tasks.pose.heat import overlay
from hrnet_tf.training.data.order import order
from hrnet_tf.training.data.sources import to_stderr
from hrnet_tf.training.pose.batches import batches
from hrnet_tf.training.pose.check import Findings, examine
from hrnet_tf.training.pose.people import People, images
from hrnet_tf.training.pose.pictures import by_side, draw_points, enlarge, joint_heat
from hrnet_tf.training.pose.recipe import PoseRecipe
from hrnet_tf.training.pose.source import people_for, read_people_of, training_people
from hrnet_tf.training.report.inspect import View
from hrnet_tf.training.report.page import bars, listing

LEAST_WIDTH = 384  # pixels; smaller crops are enlarged to this before thin lines are drawn
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


def view(recipe: PoseRecipe) -> View:
    """The view of the people of a recipe for `inspect`.

    Raises:
        OSError: the data cannot be read.
        ValueError: there is nobody to train on.
    """
    if recipe.train_records:
        people, findings = training_people(recipe), ""
    else:
        problems = []

        def report(line):
            problems.append(line)
            to_stderr(line)

        found = read_people_of(recipe, report)
        lines = tuple(problems)
        people = images(people_for(recipe, found))
        findings = _findings(examine(found, recipe.keypoints, lines), people)
    return View(
        count=len(people),
        findings=findings,
        guide=GUIDE.format(left=_key(LEFT), right=_key(RIGHT)),
        samples=_samples(recipe, people),
        notes=f"<h2>Flip pairs</h2>\n<p>{_pairs(recipe.keypoints)}</p>",
    )


def _samples(recipe: PoseRecipe, people: People) -> Iterator[tuple[np.ndarray, str]]:
    """Yields training crops in their order, each a picture of three panels with a caption."""
    card, keypoints = recipe.card, recipe.keypoints
    keypoints = by_side(keypoints) if keypoints.flip_pairs else keypoints
    factor = -(-LEAST_WIDTH // recipe.input_size[1])
    plain = dataclasses.replace(recipe, **PLAIN)  # the same people in the same order
    streams = (batches(people, each, augment=True) for each in (plain, recipe))
    for step, pair in enumerate(zip(*streams, strict=True)):
        who = order(len(people), recipe.batch_size, recipe.seed, step)
        (before, *start), (after, maps, weights) = ([np.array(x) for x in each] for each in pair)
        before, after = card.denormalize(before), card.denormalize(after)
        old, new = (_shown(recipe, *targets) for targets in (start, (maps, weights)))
        heat = joint_heat(maps, card)
        for row, person in enumerate(who):
            panels = (
                draw_points(before[row], old[0][row], old[1][row], keypoints, factor),
                draw_points(after[row], new[0][row], new[1][row], keypoints, factor),
                enlarge(overlay(after[row], heat[row], card.codec.aligned), factor),
            )
            yield np.concatenate(panels, axis=1), Path(people.rows["name"][person]).name


def _shown(
    recipe: PoseRecipe, maps: np.ndarray, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The positions of targets in the crops (B, K, 2), and whether there is a target (B, K)."""
    points, scores = (np.array(each) for each in recipe.codec.decode(maps))
    return points, (scores > 0) & (weights[:, 0, 0] > 0)


def _findings(found: Findings, people: People) -> str:
    """HTML with facts and problems of the annotation file."""
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
    if not keypoints.flip_pairs:
        return "None, so nothing is mirrored; <code>flip_pairs</code> in the keypoint file tell."
    pairs = [f"{names[a]} ↔ {names[b]}" for a, b in keypoints.flip_pairs]
    paired = {i for pair in keypoints.flip_pairs for i in pair}
    alone = ", ".join(name for i, name in enumerate(names) if i not in paired)
    return f"{' · '.join(pairs) or 'None.'}</p><p>Without a partner: {alone or 'none'}."


def _key(color: tuple[int, int, int]) -> str:
    return f'<span class="key" style="background: rgb{color}"></span>'
