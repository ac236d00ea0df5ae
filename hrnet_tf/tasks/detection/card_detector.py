"""Finds the people in images by the detection networks of this package."""

import os
from collections.abc import Callable

import numpy as np

from hrnet_tf.cards.detection import DetectionCard
from hrnet_tf.opening import known_card, open_network
from hrnet_tf.tasks.detection.boxes import choose
from hrnet_tf.tasks.detection.options import Choice
from hrnet_tf.tasks.detection.predictor import DetectionPredictor

PEOPLE = "person"  # the name of the class of people


def card_detector(
    model: str | os.PathLike, choice: Choice | None = None, person: int | None = None
) -> Callable:
    """A detection network of this package.

    Args:
        model: a preset, or a `.keras`, `.tflite` or `.onnx` file with its card beside it.
        choice: which boxes count.
        person: index of the class of people; the class "person", or the only one, if None.

    Returns:
        A `people.Detector`.

    Raises:
        OSError, ValueError: it cannot be opened, is no detector, or does not know people.
    """
    choice, card = choice or Choice(), known_card(model)
    if not isinstance(card, DetectionCard):
        found = f"whose card says {card.task}" if card else "which has no card"
        raise ValueError(
            f"`detector` must be a network for {DetectionCard.task}. Received: {model}, {found}."
        )
    classes = card.classes
    if person is None and (PEOPLE in classes or len(classes) == 1):
        person = classes.index(PEOPLE) if PEOPLE in classes else 0
    if person is None or not 0 <= person < len(classes):
        raise ValueError(
            f"`person` must be the index of the class of people, from 0 to {len(classes) - 1}, as "
            f"{model} has no class {PEOPLE!r}. Received: person={person}."
        )
    predictor = DetectionPredictor(
        open_network(model),
        card,
        score_threshold=choice.score_threshold,
        classes=(classes[person],),
        masks=False,
    )

    def detect(images):
        found = predictor.stream((row, image) for row, image in enumerate(images))
        return [_chosen(image.shape[:2], each, choice) for _, image, each in found]

    return detect


def _chosen(size, found, choice):
    corners = np.stack([found.boxes[:, :2], found.boxes[:, :2] + found.boxes[:, 2:]], axis=1)
    return choose(corners, found.scores, size, choice)
