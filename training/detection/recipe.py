"""The recipe of a detector: adds classes, head, image sizes and augmentation to `Recipe`."""

import dataclasses
from typing import ClassVar

from hrnet_tf.cards.detection import PROPOSALS, DetectionCard
from hrnet_tf.labels.classes import COCO
from hrnet_tf.networks.detection import CHANNELS, HEADS
from hrnet_tf.networks.heads.fcos import GROUPS
from hrnet_tf.training.detection.options import DetectionScoring
from hrnet_tf.training.recipe import Recipe

# Heads for which a value has an effect; see `fields.misplaced`.
TWO_STAGES = ("head", tuple(name for name, head in HEADS.items() if head.stages))
WIDE = ("head", ("fcos", *TWO_STAGES[1]))
LEAST_REGIONS = 4  # of which one may be an object


@dataclasses.dataclass(frozen=True, kw_only=True)
class DetectionRecipe(Recipe):
    """How to train and judge one detector; the defaults are those of COCO.

    Attributes:
        input_size: height and width of the network's input in training; images that are larger
            after scaling are cropped at random, smaller ones are padded with 0.
        train_annotations, val_annotations: COCO's instances or a file in their format, a folder
            with files of PASCAL VOC or YOLO, or a list of VOC's.
        head: a name of `networks.detection.HEADS`.
        classes: names of the classes; those of the training annotations where empty.
        category_ids: id of each class in files of results.
        only_classes: whether objects of other categories than `classes` are left out, in training
            and evaluation; without it, annotations must not have any.
        channels: order of the network's input channels, "rgb" or "bgr".
        sides: images are scaled to fit: pixels of their longer and shorter side.
        train_sides: shorter sides to choose from in training, in place of that of `sides`.
        scale_range: least and largest factor of that scale in training.
        flip_probability: how often images are mirrored.
        color_jitter: brightness, contrast and saturation change by up to this share.
        fixed_statistics: normalization uses the statistics of the weights that training starts
            from, but scale and offset are trained; False where training starts from scratch.
        score_threshold: boxes with a lower score are no objects.
        head_channels: channels of the pyramid and of the heads, a multiple of 32; the papers'
            detectors have 256.
        proposals: highest number of regions in an image, in training and in prediction; 0: those of
            mmdetection, 1000, and 2000 in training of a cascade.
        regions: number of an image's regions that every stage is trained on.
    """

    task: ClassVar[str] = "detection"
    head: str = dataclasses.field(default="fcos", metadata={"choices": tuple(HEADS)})
    classes: tuple[str, ...] = COCO.names
    category_ids: tuple[int, ...] = COCO.category_ids
    only_classes: bool = False
    channels: str = dataclasses.field(default="rgb", metadata={"choices": ("rgb", "bgr")})
    sides: tuple[int, ...] = (1333, 800)
    train_sides: tuple[int, ...] = ()
    scale_range: tuple[float, ...] = (1.0, 1.0)
    flip_probability: float = 0.5
    color_jitter: float = 0.0
    fixed_statistics: bool = True
    score_threshold: float = 0.05
    head_channels: int = dataclasses.field(default=CHANNELS, metadata={"only": WIDE})
    proposals: int = dataclasses.field(default=0, metadata={"only": TWO_STAGES})
    regions: int = dataclasses.field(default=512, metadata={"only": TWO_STAGES})

    def __post_init__(self):
        super().__post_init__()
        self._require_share("flip_probability", "color_jitter", "score_threshold")
        fits = len(self.category_ids) == len(self.classes) == len(set(self.category_ids))
        self._require("category_ids", fits, "have a different number for each of `classes`")
        positive = len(self.sides) == 2 and min(self.sides) > 0
        self._require("sides", positive, "be the pixels of a longer and a shorter side")
        self._require("train_sides", min(self.train_sides, default=1) > 0, "be positive")
        low_high = len(self.scale_range) == 2 and 0 < self.scale_range[0] <= self.scale_range[1]
        count = self.head_channels
        self._require("head_channels", count > 0 == count % GROUPS, f"be a multiple of {GROUPS}")
        self._require("proposals", self.proposals >= 0, "not be negative")
        self._require("regions", self.regions >= LEAST_REGIONS, f"be {LEAST_REGIONS} or more")
        self._require("scale_range", low_high, "be a least and a largest factor, above 0")

    @property
    def card(self) -> DetectionCard:
        """How to feed the network that this recipe trains."""
        return DetectionCard(
            head=self.head,
            classes=self.classes,
            category_ids=self.category_ids,
            channels=self.channels,
            sides=self.sides,
            padded=self.input_size,
            score_threshold=self.score_threshold,
            proposals=self.proposals or PROPOSALS,
        )

    def for_card(self, card: DetectionCard) -> "DetectionRecipe":
        """The recipe with a card's head, classes and sizes."""
        names = ("head", "classes", "category_ids", "channels", "sides", "score_threshold")
        return dataclasses.replace(self, **{name: getattr(card, name) for name in names})

    def data(self, use: str) -> DetectionScoring:
        """Where the data of "train" or "val" are, and which classes count."""
        annotations, images = (getattr(self, f"{use}_{each}") for each in ("annotations", "images"))
        classes = self.classes if self.only_classes else None
        return DetectionScoring(annotations, images, classes=classes)
