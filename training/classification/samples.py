"""The view of `inspect`: crops as in training, and facts about the pictures; TensorBoard's."""

import dataclasses
from collections.abc import Iterator

import numpy as np
from PIL import Image, ImageDraw

from hrnet_tf.cards.classification import ClassificationCard
from hrnet_tf.tasks.classification.predictor import Prediction, decode_predictions
from hrnet_tf.training.classification.batches import batches
from hrnet_tf.training.classification.check import Findings, examine
from hrnet_tf.training.classification.pictures import Pictures
from hrnet_tf.training.classification.recipe import ClassificationRecipe
from hrnet_tf.training.classification.source import held_out_pictures, training_pictures
from hrnet_tf.training.data.order import order
from hrnet_tf.training.data.sources import to_stderr
from hrnet_tf.training.report.inspect import View
from hrnet_tf.training.report.page import bars, listing

GUIDE = """Each picture is one of the first steps of training: its middle, as evaluation shows it,
and a random crop, as the network gets it. Look for crops that no longer show what the class is
named after, and for wrong classes."""
RIGHT, WRONG = (46, 139, 115), (201, 44, 63)


def view(recipe: ClassificationRecipe) -> View:
    """The view of the pictures of a recipe for `inspect`.

    Raises:
        OSError: the data cannot be read.
        ValueError: there is no picture to train on.
    """
    problems = []

    def report(line):
        if line not in problems:
            problems.append(line)
            to_stderr(line)

    pictures, findings = training_pictures(recipe, report), ""
    if not recipe.train_records:
        judged = held_out_pictures(recipe, report)[0] if recipe.is_judged else None
        findings = _findings(examine(pictures, judged, recipe.classes, problems))
    return View(
        count=len(pictures), findings=findings, guide=GUIDE, samples=_samples(recipe, pictures)
    )


def panels(
    card: ClassificationCard, crops: np.ndarray, labels: np.ndarray, logits: np.ndarray
) -> list[np.ndarray]:
    """For each crop a picture of it above its class and the prediction, green if it is right.

    Args:
        card: the network's card.
        crops: (B, H, W, 3), normalised.
        labels: (B,) numbers of classes.
        logits: (B, C) predicted.

    Returns:
        B pictures (H + 32, W, 3) uint8.
    """
    found = decode_predictions(logits, 1, card.classes)
    rows = zip(card.denormalize(crops), np.asarray(labels), found, strict=True)
    return [labelled(crop, card.classes[label], best[0]) for crop, label, best in rows]


def labelled(crop: np.ndarray, name: str, best: Prediction) -> np.ndarray:
    """A picture above its class and the prediction, which is green if it is right."""
    height, width = crop.shape[:2]
    picture = Image.new("RGB", (width, height + 32), "white")
    picture.paste(Image.fromarray(crop))
    pen = ImageDraw.Draw(picture)
    pen.text((2, height + 2), name, fill="black")
    color = RIGHT if best.name == name else WRONG
    pen.text((2, height + 17), f"{best.name} {best.probability:.2f}", fill=color)
    return np.asarray(picture)


def _samples(recipe: ClassificationRecipe, pictures: Pictures) -> Iterator[tuple[np.ndarray, str]]:
    """Yields training crops in their order: middle and random crop, with a caption."""
    card = recipe.card
    for step, (crops, labels, _) in enumerate(batches(pictures, recipe, augment=True)):
        chosen = order(len(pictures), recipe.batch_size, recipe.seed, step)
        for row, (crop, label) in enumerate(zip(crops.numpy(), labels.numpy(), strict=True)):
            alone = dataclasses.replace(recipe, batch_size=1)
            plain = next(iter(batches(pictures[chosen[row : row + 1]], alone, augment=False)))[0]
            pair = card.denormalize(np.concatenate((plain.numpy(), crop[None])))
            name = pictures.rows["name"][chosen[row]]
            yield np.concatenate(pair, axis=1), f"{recipe.classes[label]} ({name})"


def _findings(found: Findings) -> str:
    """HTML with facts and problems of the pictures."""
    total = sum(found.labelled.values())
    return f"""<p>{found.shown} further pictures to evaluate on.</p>
{_lines("Left out", found.problems)}{_lines("Used, but looks wrong", found.remarks)}
<h2>Classes</h2>
<p>How many of {total} pictures each has.</p>
{bars(found.labelled, max(found.labelled.values()))}"""


def _lines(title: str, lines: tuple[str, ...]) -> str:
    return f"<h2>{title}: {len(lines)}</h2>{listing(lines)}" if lines else ""
