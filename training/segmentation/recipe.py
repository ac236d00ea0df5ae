"""The recipe of a segmentation network: adds classes, masks, augmentation and loss to `Recipe`."""

import dataclasses
from typing import ClassVar

from hrnet_tf.cards.segmentation import RESIZES, SegmentationCard
from hrnet_tf.labels.class_files import read_class_set
from hrnet_tf.labels.classes import CITYSCAPES, CLASS_SETS, ClassSet
from hrnet_tf.training.recipe import Recipe
from hrnet_tf.training.segmentation.options import (
    ABSENT,
    ENCODINGS,
    FORMATS,
    SegmentationScoring,
)
from hrnet_tf.training.values import Form, choose

LOSSES = ("cross_entropy", "ohem", "dice", "focal")


def _classes_to_plain(classes: ClassSet) -> str | dict:
    published = classes == CLASS_SETS.get(classes.name)
    return classes.name if published else dataclasses.asdict(classes)


def _classes_from_plain(plain: str | dict) -> ClassSet:
    return ClassSet(**plain) if isinstance(plain, dict) else CLASS_SETS[plain]


def _classes_from_text(text: str, current: ClassSet) -> ClassSet:
    if text.endswith(".json"):
        return read_class_set(text)
    return choose("classes", text, {k: v for k, v in CLASS_SETS.items() if v.palette})


@dataclasses.dataclass(frozen=True, kw_only=True)
class SegmentationRecipe(Recipe):
    """How to train and judge one segmentation network; the defaults are those of Cityscapes.

    Attributes:
        train_annotations, val_annotations: folder of masks, a list of pictures and masks, or COCO
            instances.
        head: "concat" or "ocr", as in `hrnet_tf.segmentation`.
        align_corners: as in `hrnet_tf.segmentation`.
        classes: what the masks show: a set's name or, on the command line, its .json file.
        labels: layout and numbers of the masks.
        encoding: what pixels of `masks` are: class numbers, black and white, or classes' colours.
        ignore_label: number in `masks` of pixels without a class; -1: none.
        ignore_color: colour of pixels without a class, for the encoding `color`.
        resize: the side of pictures that is first resized to `base_size`: "long", "short", "both"
            (which changes the proportions), "short_long" (one after the other), or "none".
        base_size: pixels; 0 if `resize` is "none".
        scale_range: least and largest scale of pictures.
        scale_step: scales are the least one plus multiples of this; 0: any.
        flip_probability: how often pictures are mirrored.
        random_brightness: half of the pictures are made brighter or darker by up to 10 levels.
        color_jitter: brightness, contrast and saturation change by up to this share.
        loss: "cross_entropy"; "ohem": that of the hardest pixels; "dice": with the overlap of each
            class; "focal": with less weight for easy pixels.
        class_weights: weight of each class in the loss; all 1 where empty.
        ohem_threshold: pixels whose true class is less probable than this count.
        ohem_kept: at least so many pixels of a device's batch count.
        aux_weight: weight of the loss of OCR's auxiliary output.
        test_size: height and width of the network that is evaluated and published; those of
            `input_size` where empty.
        test_scales: scales of pictures in evaluations.
        flip_test: whether evaluation averages with the mirrored picture.
        absent: classes that occur nowhere count as 0 in the mean, as in the original, or are left
            out of it, as by OpenMMLab.
    """

    task: ClassVar[str] = "segmentation"
    multiple: ClassVar[int] = 1
    forms: ClassVar = {
        **Recipe.forms,
        "classes": Form(_classes_to_plain, _classes_from_plain, _classes_from_text),
    }
    head: str = dataclasses.field(default="concat", metadata={"choices": ("concat", "ocr")})
    align_corners: bool = False
    classes: ClassSet = CITYSCAPES
    labels: str = dataclasses.field(default="masks", metadata={"choices": FORMATS})
    encoding: str = dataclasses.field(default="index", metadata={"choices": ENCODINGS})
    ignore_label: int = -1
    ignore_color: tuple[int, ...] = ()
    resize: str = dataclasses.field(default="none", metadata={"choices": RESIZES})
    base_size: int = 0
    scale_range: tuple[float, ...] = (0.5, 2.1)
    scale_step: float = 0.1
    flip_probability: float = 0.5
    random_brightness: bool = False
    color_jitter: float = 0.0
    loss: str = dataclasses.field(default="cross_entropy", metadata={"choices": LOSSES})
    class_weights: tuple[float, ...] = ()
    ohem_threshold: float = 0.9
    ohem_kept: int = 131072
    aux_weight: float = 0.4
    test_size: tuple[int, ...] = ()
    test_scales: tuple[float, ...] = (1.0,)
    flip_test: bool = False
    absent: str = dataclasses.field(default="zero", metadata={"choices": ABSENT})

    def __post_init__(self):
        super().__post_init__()
        self._require_share("flip_probability", "color_jitter", "ohem_threshold")
        low_high = len(self.scale_range) == 2 and 0 < self.scale_range[0] <= self.scale_range[1]
        self._require("scale_range", low_high, "be a least and a largest scale, above 0")
        self._require("scale_step", self.scale_step >= 0, "not be negative")
        self._require("aux_weight", self.aux_weight >= 0, "not be negative")
        self._require("ohem_kept", self.ohem_kept > 0, "be positive")
        fits = (self.base_size > 0) == (self.resize != "none")
        self._require("base_size", fits, "be positive if `resize` is not none, 0 if it is")
        count = len(self.classes.names)
        weighted = len(self.class_weights) in (0, count) and min(self.class_weights, default=1) >= 0
        self._require(
            "class_weights", weighted, f"be empty or {count} weights that are not negative"
        )
        sides = len(self.test_size) in (0, 2) and min(self.test_size, default=32) >= 32
        self._require("test_size", sides, "be empty or a height and a width, at least 32")
        scales = bool(self.test_scales) and min(self.test_scales) > 0
        self._require("test_scales", scales, "be positive")

    @property
    def card(self) -> SegmentationCard:
        """How to feed the network that this recipe trains."""
        return SegmentationCard(
            classes=self.classes.names,
            palette=self.classes.palette,
            align_corners=self.align_corners,
            flip_pairs=self.classes.flip_pairs,
            resize=self.resize,
            base_size=self.base_size or None,
        )

    def for_card(self, card: SegmentationCard) -> "SegmentationRecipe":
        """The recipe with a card's classes and sizes."""
        classes = self.classes
        if (card.classes, card.palette) != (classes.names, classes.palette):
            classes = ClassSet("own", card.classes, "a card", card.palette, card.flip_pairs)
        return dataclasses.replace(
            self,
            classes=classes,
            align_corners=card.align_corners,
            resize=card.resize,
            base_size=card.base_size or 0,
            class_weights=self.class_weights if classes == self.classes else (),
        )

    def data(self, use: str) -> SegmentationScoring:
        """Where the data of "train" or "val" are, what they mean, and how they are scored."""
        return SegmentationScoring(
            getattr(self, f"{use}_annotations"),
            getattr(self, f"{use}_images"),
            labels=self.labels,
            encoding=self.encoding,
            ignore_label=self.ignore_label,
            ignore_color=self.ignore_color,
            absent=self.absent,
        )
