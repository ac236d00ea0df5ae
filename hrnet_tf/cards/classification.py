"""The card of classification networks: how to feed them, and what their logits mean."""

import dataclasses
from typing import ClassVar

from hrnet_tf.cards.card import Card
from hrnet_tf.cards.scores import check_scores
from hrnet_tf.labels.classes import IMAGENET, class_set_name
from hrnet_tf.names import check_choice

INTERPOLATIONS = ("bilinear", "bicubic")


@dataclasses.dataclass(frozen=True)
class ClassificationCard(Card):
    """How to feed a classification network, and what its logits mean.

    Attributes:
        classes: names of the classes, one per logit.
        crop_fraction: the share of the resized image's shorter side that the network sees.
        interpolation: how the image is resized: "bilinear" or "bicubic".
        scores: what the network returns: "logits", "probabilities" (after a softmax) or "sigmoid"
            (classes that do not exclude each other).
        one_channel: the network returns one number, for the second of two classes.

    Raises:
        ValueError: as `Card`; there are no classes, the fraction is outside (0, 1], or the
            interpolation is unknown.
    """

    task: ClassVar[str] = "classification"
    returns: ClassVar[str] = "logits"
    default: ClassVar[str] = "ImageNet's 1000 classes"
    classes: tuple[str, ...] = IMAGENET.names
    crop_fraction: float = 0.875
    interpolation: str = "bilinear"
    scores: str = "logits"
    one_channel: bool = False

    def __post_init__(self):
        super().__post_init__()
        if not self.classes or not 0 < self.crop_fraction <= 1:
            raise ValueError(
                "`classes` must not be empty, `crop_fraction` must be above 0 and at most 1. "
                f"Received: {len(self.classes)} classes, crop_fraction={self.crop_fraction}."
            )
        check_choice("interpolation", self.interpolation, INTERPOLATIONS)
        check_scores(self.scores, self.one_channel, len(self.classes))

    def outputs(self):
        """One number for each class, or one for both of two classes."""
        return {"logits": (1 if self.one_channel else len(self.classes),)}

    def labels(self):
        """Names of the classes."""
        return self.classes

    @property
    def label_set(self) -> str:
        """The name of the set of classes."""
        return class_set_name(self.classes)


CARD = ClassificationCard
