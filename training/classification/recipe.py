"""The recipe of a classification network: adds classes, crops and augmentation to `Recipe`."""

import dataclasses
from pathlib import Path
from typing import ClassVar

from hrnet_tf.cards.classification import INTERPOLATIONS, ClassificationCard
from hrnet_tf.labels.classes import CLASS_SETS
from hrnet_tf.names import check_choice
from hrnet_tf.training.recipe import OPTIMIZERS, Recipe
from hrnet_tf.training.values import Form

SETS = {each.name: each.names for each in CLASS_SETS.values() if not each.palette}


def _classes_to_plain(classes: tuple[str, ...]) -> str | list[str]:
    known = (name for name, names in SETS.items() if names == classes)
    return next(known, list(classes))


def _classes_from_plain(plain: str | tuple[str, ...]) -> tuple[str, ...]:
    return SETS[plain] if isinstance(plain, str) else plain


def _classes_from_text(text: str, current: tuple[str, ...]) -> tuple[str, ...]:
    if text.endswith(".txt"):
        lines = Path(text).read_text(encoding="utf-8").splitlines()
        return tuple(line.strip() for line in lines if line.strip())
    if "," in text or not text:
        return tuple(part.strip() for part in text.split(",") if part.strip())
    check_choice("classes", text, SETS)
    return SETS[text]


@dataclasses.dataclass(frozen=True, kw_only=True)
class ClassificationRecipe(Recipe):
    """How to train and judge one classification network; the defaults are HRNet's on ImageNet.

    Attributes:
        train_annotations: a list of pictures and their classes, if folders do not tell them.
        train_images: folder with a folder for each class, or with a list all pictures in one folder
            or TAR.
        val_annotations: as `train_annotations`, of the pictures to evaluate on.
        val_images: as `train_images`, of the pictures to evaluate on; none where empty.
        classes: names of the classes: a set's name, a .txt file with a name a line, or with commas;
            the folders in `train_images` where empty.
        held_out: share of each class's training pictures to evaluate on instead of training on
            them, if there are no `val_images`; names decide, so it is always the same pictures.
        smallest_crop: training crops cover at least this share of the picture's area.
        stretch: largest ratio of a crop's sides before it is resized to the input size.
        flip_probability: how often crops are mirrored.
        color_jitter: brightness, contrast and saturation change by up to this share.
        label_smoothing: share of each target that is spread over all classes.
        crop_fraction: evaluation crops the middle, this share of the picture's shorter side.
        interpolation: how crops are resized: "bilinear" or "bicubic".
    """

    task: ClassVar[str] = "classification"
    forms: ClassVar = {
        **Recipe.forms,
        "classes": Form(_classes_to_plain, _classes_from_plain, _classes_from_text),
    }
    input_size: tuple[int, int] = (224, 224)
    train_annotations: str = ""
    optimizer: str = dataclasses.field(default="sgd", metadata={"choices": OPTIMIZERS})
    nesterov: bool = True
    weight_decay: float = 1e-4
    learning_rate: float = 0.05
    milestones: tuple[int, ...] = (30, 60, 90)
    epochs: int = 100
    evaluate_every: int = 1
    classes: tuple[str, ...] = ()
    held_out: float = 0.0
    smallest_crop: float = 0.08
    stretch: float = 4 / 3
    flip_probability: float = 0.5
    color_jitter: float = 0.0
    label_smoothing: float = 0.0
    crop_fraction: float = 0.875
    interpolation: str = dataclasses.field(default="bilinear", metadata={"choices": INTERPOLATIONS})

    def __post_init__(self):
        super().__post_init__()
        shares = ("held_out", "flip_probability", "color_jitter", "label_smoothing")
        self._require_share(*shares)
        for name in ("held_out", "label_smoothing"):
            self._require(name, getattr(self, name) < 1, "be below 1")
        for name in ("smallest_crop", "crop_fraction"):
            self._require(name, 0 < getattr(self, name) <= 1, "be above 0 and at most 1")
        self._require("stretch", self.stretch >= 1, "be at least 1")
        self._require("classes", len(self.classes) != 1, "be two or more")
        double = len(set(self.classes)) < len(self.classes) and self.classes not in SETS.values()
        self._require("classes", not double, "be different from each other")

    @property
    def is_judged(self) -> bool:
        """Whether the run is evaluated while it trains."""
        return bool(self.evaluate_every and (self.val_images or self.held_out))

    @property
    def card(self) -> ClassificationCard:
        """How to feed the network that this recipe trains."""
        return ClassificationCard(
            classes=self.classes,
            crop_fraction=self.crop_fraction,
            interpolation=self.interpolation,
        )

    def for_card(self, card: ClassificationCard) -> "ClassificationRecipe":
        """The recipe with a card's classes and crops."""
        return dataclasses.replace(
            self,
            classes=card.classes,
            crop_fraction=card.crop_fraction,
            interpolation=card.interpolation,
        )
