"""The card of segmentation networks: how to feed them, and what their channels mean."""

import dataclasses
from typing import ClassVar

from hrnet_tf.cards.card import Card, exchanged
from hrnet_tf.cards.scores import check_scores
from hrnet_tf.labels.classes import CITYSCAPES, Color, class_set_name

RESIZES = ("none", "long", "short", "both", "short_long")


@dataclasses.dataclass(frozen=True)
class SegmentationCard(Card):
    """How to feed a segmentation network, and what its channels mean.

    Attributes:
        classes: names of the classes, one per channel; two for a network of one channel.
        palette: RGB 0..255, one per class.
        align_corners: whether the logits are upsampled to the image with aligned corners; must be
            the network's own setting.
        flip_pairs: classes that change places in a mirrored image, such as left and right arm.
        resize: the side of the image that is first scaled to `base_size`: "long", "short", "both"
            (which changes the proportions), "short_long" (one after the other, as the original does
            with PASCAL-Context, ADE20K and COCO-Stuff), or "none" to keep the size.
        base_size: pixels; None if `resize` is "none".
        scores: what the network returns: "logits", "probabilities" (after a softmax) or "sigmoid".
        one_channel: the network has one channel, for the second of two classes: it is there above
            a logit of 0, a sigmoid of 0.5.

    Raises:
        ValueError: as `Card`; the palette has another length, a pair has an unknown id, `resize`
            is unknown, or `base_size` is missing.
    """

    task: ClassVar[str] = "segmentation"
    returns: ClassVar[str] = "logits"
    default: ClassVar[str] = "Cityscapes' 19 classes"
    training_only: ClassVar[tuple[str, ...]] = ("aux",)
    classes: tuple[str, ...] = CITYSCAPES.names
    palette: tuple[Color, ...] = CITYSCAPES.palette
    align_corners: bool = False
    flip_pairs: tuple[tuple[int, int], ...] = ()
    resize: str = "none"
    base_size: int | None = None
    scores: str = "logits"
    one_channel: bool = False

    def __post_init__(self):
        super().__post_init__()
        check_scores(self.scores, self.one_channel, len(self.classes))
        count, paired = len(self.classes), [i for pair in self.flip_pairs for i in pair]
        if not count or len(self.palette) != count:
            raise ValueError(
                "`palette` must have one colour for each of `classes`. "
                f"Received: {len(self.palette)} colours for {count} classes."
            )
        if not set(paired) <= set(range(count)) or len(set(paired)) < len(paired):
            raise ValueError(
                f"`flip_pairs` must pair ids from 0 to {count - 1}, each at most once. "
                f"Received: flip_pairs={self.flip_pairs}."
            )
        if self.resize not in RESIZES or (self.base_size or 0) < (self.resize != "none"):
            raise ValueError(
                f"`resize` must be one of {', '.join(RESIZES)}, and `base_size` its pixels. "
                f"Received: resize={self.resize!r}, base_size={self.base_size}."
            )

    def outputs(self):
        """One number for each class at each pixel, or one for both of two classes."""
        return {"logits": (None, None, 1 if self.one_channel else len(self.classes))}

    def labels(self):
        """Names of the classes."""
        return self.classes

    @property
    def label_set(self) -> str:
        """The name of the set of classes."""
        return class_set_name(self.classes)

    @property
    def flip_index(self) -> tuple[int, ...]:
        """For each class, the id of the class that it becomes in a mirrored image."""
        return exchanged(len(self.classes), self.flip_pairs)


CARD = SegmentationCard
