"""A recipe: every value that a training run depends on, as frozen data.

One file in `recipes/` is one page: a docstring with source, expected result, hardware and command,
and below it `RECIPE = Recipe(...)`. `override` changes fields from text, for the command line.
"""

import dataclasses
import difflib
import importlib
import json
import pkgutil
from collections.abc import Mapping

from hrnet_tf.card import CODECS, PoseCard
from hrnet_tf.codecs import MSRA, Codec
from hrnet_tf.keypoints import COCO, KEYPOINT_SETS, KeypointSet
from hrnet_tf.models import Arch
from hrnet_tf.training import recipes
from hrnet_tf.training.evaluate import PROTOCOLS


@dataclasses.dataclass(frozen=True)
class Recipe:
    """How to train and judge one pose network; the defaults are those of Sun et al. CVPR 2019.

    Attributes:
        arch: a name or a spec, as in `hrnet_tf.pose`.
        input_size: (height, width) of the crops.
        train_annotations, train_images: COCO keypoint file and folder.
        val_annotations, val_images: the same for validation; none where empty.
        keypoints: what the annotations hold.
        codec: makes the targets and reads the heat maps.
        padding: the crop shows this many times a person's box.
        scale_factor: crops are 1 ± this as large, at most; its spread is normal.
        rotation_factor: standard deviation of the rotation in degrees; at most twice that.
        rotation_probability, flip_probability: how often crops are turned and mirrored.
        learning_rate: of Adam.
        milestones: epochs after which the rate drops tenfold; without any it follows a cosine to 0.
        warmup_steps: of linear warm-up before the cosine.
        epochs, batch_size, seed: as usual.
        protocol: of `evaluate`.
        flip_test: whether evaluation averages with the mirrored crop.

    Raises:
        ValueError: a value that no run could use.
    """

    arch: Arch
    input_size: tuple[int, int]
    train_annotations: str
    train_images: str
    val_annotations: str = ""
    val_images: str = ""
    keypoints: KeypointSet = COCO
    codec: Codec = dataclasses.field(default_factory=MSRA)
    padding: float = 1.25
    scale_factor: float = 0.35
    rotation_factor: float = 45.0
    rotation_probability: float = 0.6
    flip_probability: float = 0.5
    learning_rate: float = 1e-3
    milestones: tuple[int, ...] = (170, 200)
    warmup_steps: int = 0
    epochs: int = 210
    batch_size: int = 128
    seed: int = 0
    protocol: str = "original"
    flip_test: bool = True

    def __post_init__(self):
        for name in ("padding", "learning_rate", "epochs", "batch_size"):
            self._require(name, getattr(self, name) > 0, "be positive")
        for name in ("scale_factor", "rotation_probability", "flip_probability"):
            self._require(name, 0 <= getattr(self, name) <= 1, "lie between 0 and 1")
        for name in ("rotation_factor", "warmup_steps", "seed"):
            self._require(name, getattr(self, name) >= 0, "not be negative")
        self._require("input_size", len(self.input_size) == 2, "be a height and a width")
        self._require("protocol", self.protocol in PROTOCOLS, f"be one of {PROTOCOLS}")
        rising = all(0 < a < b for a, b in zip(self.milestones, self.milestones[1:], strict=False))
        self._require("milestones", rising, "be epochs in rising order")
        cosine = not (self.warmup_steps and self.milestones)
        self._require("warmup_steps", cosine, "be 0 where there are milestones (--milestones=)")

    def _require(self, name: str, valid: bool, rule: str) -> None:
        if not valid:
            raise ValueError(f"`{name}` must {rule}. Received: {name}={getattr(self, name)!r}.")

    @property
    def card(self) -> PoseCard:
        """How to feed the network that this recipe trains."""
        return PoseCard(keypoints=self.keypoints, codec=self.codec, padding=self.padding)

    def to_json(self) -> str:
        """All values, for the record that lies beside a trained model."""
        values = dataclasses.asdict(self)
        values["keypoints"] = self.keypoints.name
        values["codec"] = {"name": self.codec.name, **values["codec"]}
        return json.dumps(values, indent=2) + "\n"


def load_recipe(name: str) -> Recipe:
    """The recipe on the page `recipes/<name>.py`.

    Raises:
        ValueError: there is no such page; the closest are listed.
    """
    pages = [module.name for module in pkgutil.iter_modules(recipes.__path__)]
    if name not in pages:
        close = difflib.get_close_matches(name, pages, n=3) or pages
        raise ValueError(
            f"`recipe` must be a page in training/recipes. Received: recipe={name!r}. "
            f"Did you mean {', '.join(close)}?"
        )
    return importlib.import_module(f"{recipes.__name__}.{name}").RECIPE


def override(recipe: Recipe, changes: Mapping[str, str]) -> Recipe:
    """The recipe with some fields replaced by values in text, such as `{"epochs": "3"}`.

    Codecs and keypoint sets go by their names, sequences are separated by commas.

    Raises:
        ValueError: an unknown field, or text that is no value for it.
    """
    fields = [field.name for field in dataclasses.fields(recipe)]
    for name in changes:
        if name not in fields:
            close = difflib.get_close_matches(name, fields, n=1) or fields
            raise ValueError(f"A recipe has no field {name!r}. Did you mean {', '.join(close)}?")
    values = {name: _parse(name, text, getattr(recipe, name)) for name, text in changes.items()}
    return dataclasses.replace(recipe, **values)


def _parse(name: str, text: str, current: object) -> object:
    """The value that `text` names for a field that now holds `current`."""
    choices = {
        "codec": {key: codec() for key, codec in CODECS.items()},
        "keypoints": KEYPOINT_SETS,
        "flip_test": {"true": True, "false": False},
    }
    if name in choices:
        if text in choices[name]:
            return choices[name][text]
        known = ", ".join(choices[name])
        raise ValueError(f"`{name}` must be one of {known}. Received: {name}={text!r}.")
    if name == "arch":
        return text
    try:
        if isinstance(current, tuple):
            return tuple(int(part) for part in text.strip("()").split(",") if part.strip())
        return type(current)(text)
    except ValueError:
        kind = "whole numbers with commas" if isinstance(current, tuple) else type(current).__name__
        raise ValueError(f"`{name}` must be {kind}. Received: {name}={text!r}.") from None
