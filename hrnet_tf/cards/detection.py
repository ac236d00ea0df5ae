"""The card of detectors: how to feed them, and what their outputs mean."""

import dataclasses
from typing import ClassVar

from keras import ops

from hrnet_tf.cards.card import Card
from hrnet_tf.labels.classes import COCO, class_set_name
from hrnet_tf.names import check_choice
from hrnet_tf.networks.detection import HEADS

GEOMETRIES = ("continuous", "inclusive")
MASK_STAGES = ("mean", "last")
PROPOSALS = 1000


@dataclasses.dataclass(frozen=True, kw_only=True)
class DetectionCard(Card):
    """How to feed a detector, and what its outputs mean.

    Attributes:
        head: a key of `networks.detection.HEADS`.
        classes: names of the classes of objects, one per channel.
        category_ids: id of each class in COCO's files.
        channels: order of the network's input channels, "rgb" or "bgr"; `mean` and `std` are those
            of red, green and blue in either case.
        sides: the image is scaled to fit: pixels of its longer and its shorter side.
        multiple: height and width are padded with 0 to a multiple of it, after normalization.
        padded: least height and width after padding: those that the network was trained with, as
            the statistics of FCOS's GroupNormalization count the padding.
        geometry: "continuous": a box from x1 to x2 has the width x2 - x1 (mmdetection 2 and 3);
            "inclusive": x2 - x1 + 1, with integer anchors (mmdetection 1 and the original
            repository).
        score_threshold: boxes of a class with this score or a lower one are left out.
        nms: IoU above which two boxes are one object.
        most: highest number of objects in an image.
        mask_stages: of a network with several mask heads, "mean" averages their probabilities;
            "last" takes the last one's.
        proposals: highest number of regions of an image that are classified.

    Raises:
        ValueError: as `Card`; a field is out of range, or lengths disagree.
    """

    task: ClassVar[str] = "detection"
    returns: ClassVar[str] = "maps of scores and boxes"
    default: ClassVar[str] = "COCO's 80 classes"
    later: ClassVar[tuple[str, ...]] = (*Card.later, "padded", "proposals")
    head: str = "fcos"
    classes: tuple[str, ...] = COCO.names
    category_ids: tuple[int, ...] = COCO.category_ids
    channels: str = "rgb"
    sides: tuple[int, int] = (1333, 800)
    multiple: int = 32
    padded: tuple[int, int] = (0, 0)
    geometry: str = "continuous"
    score_threshold: float = 0.05
    nms: float = 0.5
    most: int = 100
    mask_stages: str = "mean"
    proposals: int = PROPOSALS

    def __post_init__(self):
        super().__post_init__()
        check_choice("head", self.head, tuple(HEADS))
        check_choice("channels", self.channels, ("rgb", "bgr"))
        check_choice("geometry", self.geometry, GEOMETRIES)
        check_choice("mask_stages", self.mask_stages, MASK_STAGES)
        ids = self.category_ids
        if not self.classes or len(ids) != len(self.classes) or len(set(ids)) < len(ids):
            raise ValueError(
                "`category_ids` must have a different id for each of `classes`. "
                f"Received: {len(ids)} ids for {len(self.classes)} classes."
            )
        counts = {each: getattr(self, each) for each in ("multiple", "most", "proposals")}
        if len(self.sides) != 2 or min(*self.sides, *counts.values()) < 1:
            raise ValueError(
                "`sides` must be two positive numbers of pixels, `multiple`, `most` and "
                f"`proposals` 1 or more. Received: sides={self.sides}, "
                f"{', '.join(f'{name}={count}' for name, count in counts.items())}."
            )
        if not 0 <= self.score_threshold <= 1 or not 0 <= self.nms <= 1:
            raise ValueError(
                "`score_threshold` and `nms` must be within 0..1. "
                f"Received: score_threshold={self.score_threshold}, nms={self.nms}."
            )
        fits = all(side >= 0 == side % self.multiple for side in self.padded)
        if len(self.padded) != 2 or not fits:
            raise ValueError(
                "`padded` must be a height and a width, multiples of `multiple`. "
                f"Received: padded={self.padded}, multiple={self.multiple}."
            )

    @property
    def stages(self) -> int:
        """Number of stages that classify regions; 0 for FCOS."""
        return HEADS[self.head].stages

    @property
    def masks(self) -> bool:
        """Whether the network finds a mask of each object."""
        return HEADS[self.head].masks

    @property
    def levels(self) -> range:
        """Pyramid levels with scores and boxes; level L has the stride 2**L."""
        return HEADS[self.head].levels

    def normalize(self, crops):
        """As `Card.normalize`, in the network's order of channels."""
        image = super().normalize(crops)
        return image if self.channels == "rgb" else ops.flip(image, axis=-1)

    def denormalize(self, crops):
        """As `Card.denormalize`; returns RGB."""
        return super().denormalize(crops if self.channels == "rgb" else crops[..., ::-1])

    def inputs(self):
        """The image; with regions also boxes x1, y1, x2, y2 in pixels of the padded image."""
        regions = {"boxes": (None, 4)} if self.stages else {}
        return {**super().inputs(), **regions}

    def outputs(self):
        """Maps of each level and, with regions, the heads' outputs for the given boxes."""
        count = len(self.classes)
        if not self.stages:
            kinds = {"class_logits": count, "log_distances": 4, "centerness": 1}
        else:
            kinds = {"objectness": 3, "anchor_deltas": 12}
        found = {
            f"{kind}_P{level}": (None, None, channels)
            for kind, channels in kinds.items()
            for level in self.levels
        }
        deltas = 4 if self.stages == 3 else 4 * count  # Cascade and HTC share them among classes
        for stage in range(1, self.stages + 1):
            found[f"class_logits_{stage}"] = (None, count + 1)
            found[f"box_deltas_{stage}"] = (None, deltas)
            if self.masks:
                found[f"mask_logits_{stage}"] = (None, 28, 28, count)
        return found

    def labels(self):
        """Names of the classes."""
        return self.classes

    @property
    def label_set(self) -> str:
        """The name of the set of classes."""
        return class_set_name(self.classes)


CARD = DetectionCard
