"""A recipe: every value that a training run depends on, as frozen data.

One file in `recipes/` is one page: a docstring with source, expected result, hardware and command,
and below it `RECIPE = Recipe(...)`. The JSON beside a trained model is a recipe again;
`overrides.py` reads values from the command line.
"""

import dataclasses
import difflib
import importlib
import json
import math
import pkgutil
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path

from hrnet_tf.labels.keypoint_sets import COCO, KEYPOINT_SETS
from hrnet_tf.labels.keypoints import KeypointSet
from hrnet_tf.networks.checks import MULTIPLE, Arch, spec_of
from hrnet_tf.networks.specs import HRNetSpec, LiteHRNetSpec
from hrnet_tf.tasks.pose.card import CODECS, PoseCard
from hrnet_tf.tasks.pose.codecs import MSRA, Codec
from hrnet_tf.training.evaluate import PROTOCOLS
from hrnet_tf.training.pose.readers import FORMATS
from hrnet_tf.training.recipes import pose as recipes

PAGES = tuple(sorted(module.name for module in pkgutil.iter_modules(recipes.__path__)))
SPECS = {kind.__name__: kind for kind in (HRNetSpec, LiteHRNetSpec)}
CHOICES = {
    "head": ("v1", "v2"),
    "data_format": tuple(FORMATS),
    "spread": ("normal", "uniform"),
    "precision": ("float32", "mixed_float16", "mixed_bfloat16"),
    "protocol": PROTOCOLS,
}
KINDS = {
    bool: "true or false",
    int: "a whole number",
    float: "a finite number",
    str: "text",
    tuple: "whole numbers with commas",
}


@dataclasses.dataclass(frozen=True)
class Recipe:
    """How to train and judge one pose network; the defaults are those of Sun et al. CVPR 2019.

    Attributes:
        arch: a name of `hrnet_tf.SPECS`, or a spec.
        head: "v1" or "v2", as in `hrnet_tf.pose`.
        input_size: height and width of the crops.
        data_format: what the annotation files are: "coco", "mpii" or "landmarks".
        train_annotations: annotation file to train on.
        train_images: folder of its images.
        train_records: TFRecords that hold both, as 'DIR/*.tfrecord', in their place.
        val_annotations: annotation file to evaluate on; none where empty.
        val_images: folder of its images.
        keypoints: what the annotations hold: a set's name or, on the command line, its .json file.
        codec: makes the targets and reads the heat maps; in text such as `dark` or `udp,sigma=3`.
        weights: checkpoint to start from: path, address or preset; from scratch where empty.
        padding: the crop shows this many times a person's box.
        half_body_probability: how often a crop shows one half of a person with many joints.
        scale_factor: crops are 1 ± this as large, at most.
        rotation_factor: degrees; see `spread`.
        spread: "normal": scale and rotation have these factors as standard deviations, rotation is
            at most twice its factor; "uniform": anything up to them is as likely.
        rotation_probability: how often crops are turned.
        flip_probability: how often crops are mirrored.
        color_jitter: brightness, contrast and saturation change by up to this share.
        cutout_probability: how often an ellipse of the crop is blackened (AID, Huang et al. 2020).
        hard_keypoints: only so many worst joints of a person count for the loss; 0: all do.
        learning_rate: of Adam, for `batch_size`.
        milestones: epochs after which the rate drops tenfold; without any it follows a cosine to 0.
        warmup_steps: steps in which the rate rises linearly.
        warmup_start: share of the rate that the warm-up starts from.
        epochs: passes over the training data.
        batch_size: crops per step, on all devices together.
        seed: of weights, order and augmentation.
        clip_norm: largest norm of all gradients together; 0: any.
        accumulation: batches whose gradients are averaged before each update.
        ema: momentum of the averaged weights that are evaluated and published; 0: none.
        precision: "float32", "mixed_float16" or "mixed_bfloat16"; head and loss stay float32.
        frozen_norm: normalization keeps its statistics: for few images.
        sync_norm: normalization by the statistics of all devices.
        protocol: how `evaluate` scores: "original" or "annotated".
        flip_test: whether evaluation averages with the mirrored crop.
        evaluate_every: epochs between evaluations on the validation data; 0: never.
        patience: evaluations without a better result before the run ends early; 0: never.

    Raises:
        ValueError: a value that no run could use.
    """

    arch: Arch
    input_size: tuple[int, int]
    train_annotations: str
    train_images: str
    train_records: str = ""
    val_annotations: str = ""
    val_images: str = ""
    head: str = "v1"
    data_format: str = "coco"
    keypoints: KeypointSet = COCO
    codec: Codec = dataclasses.field(default_factory=MSRA)
    weights: str = ""
    padding: float = 1.25
    half_body_probability: float = 0.3
    scale_factor: float = 0.35
    rotation_factor: float = 45.0
    spread: str = "normal"
    rotation_probability: float = 0.6
    flip_probability: float = 0.5
    color_jitter: float = 0.0
    cutout_probability: float = 0.0
    hard_keypoints: int = 0
    learning_rate: float = 1e-3
    milestones: tuple[int, ...] = (170, 200)
    warmup_steps: int = 0
    warmup_start: float = 0.001
    epochs: int = 210
    batch_size: int = 128
    seed: int = 0
    clip_norm: float = 0.0
    accumulation: int = 1
    ema: float = 0.0
    precision: str = "float32"
    frozen_norm: bool = False
    sync_norm: bool = False
    protocol: str = "original"
    flip_test: bool = True
    evaluate_every: int = 10
    patience: int = 0

    def __post_init__(self):
        spec_of(self.arch)
        for field in dataclasses.fields(self):
            self._check_type(field)
        for name in ("padding", "learning_rate", "epochs", "batch_size", "accumulation"):
            self._require(name, getattr(self, name) > 0, "be positive")
        shares = ("half_body", "rotation", "flip", "cutout")
        shares = [f"{name}_probability" for name in shares]
        for name in (*shares, "color_jitter", "warmup_start"):
            self._require(name, 0 <= getattr(self, name) <= 1, "lie between 0 and 1")
        for name in ("scale_factor", "ema"):
            self._require(name, 0 <= getattr(self, name) < 1, "be at least 0 and below 1")
        counts = ("warmup_steps", "seed", "hard_keypoints", "clip_norm", "evaluate_every")
        for name in ("rotation_factor", "patience", *counts):
            self._require(name, getattr(self, name) >= 0, "not be negative")
        fits = len(self.input_size) == 2 and all(
            x > 0 and x % MULTIPLE == 0 for x in self.input_size
        )
        self._require("input_size", fits, f"be a height and a width, multiples of {MULTIPLE}")
        for name, allowed in CHOICES.items():
            self._require(name, getattr(self, name) in allowed, f"be one of {', '.join(allowed)}")
        rising = all(a < b for a, b in pairwise((0, *self.milestones)))
        self._require("milestones", rising, "be epochs in rising order")

    def _check_type(self, field: dataclasses.Field) -> None:
        value = getattr(self, field.name)
        if field.type in (bool, int, str):
            self._require(field.name, type(value) is field.type, f"be {KINDS[field.type]}")
        elif field.type is float:
            number = isinstance(value, int | float) and not isinstance(value, bool)
            self._require(field.name, number and math.isfinite(value), f"be {KINDS[float]}")
        elif isinstance(field.type, type):
            self._require(field.name, isinstance(value, field.type), f"be a {field.type.__name__}")
        elif field.name != "arch":
            whole = isinstance(value, tuple) and all(type(each) is int for each in value)
            self._require(field.name, whole, f"be {KINDS[tuple]}")

    def _require(self, name: str, valid: bool, rule: str) -> None:
        if not valid:
            raise ValueError(f"`{name}` must {rule}. Received: {name}={getattr(self, name)!r}.")

    @property
    def card(self) -> PoseCard:
        """How to feed the network that this recipe trains."""
        return PoseCard(keypoints=self.keypoints, codec=self.codec, padding=self.padding)

    def to_json(self) -> str:
        """All values, a line each, for the record that lies beside a trained model."""
        values = dataclasses.asdict(self)
        if not isinstance(self.arch, str):
            values["arch"] = {"spec": type(self.arch).__name__, **values["arch"]}
        if self.keypoints == KEYPOINT_SETS.get(self.keypoints.name):
            values["keypoints"] = self.keypoints.name
        values["codec"] = {"name": self.codec.name, **values["codec"]}
        lines = (f"  {json.dumps(name)}: {json.dumps(value)}" for name, value in values.items())
        return "{\n" + ",\n".join(lines) + "\n}\n"

    @staticmethod
    def from_json(text: str) -> "Recipe":
        """The recipe that `to_json` wrote; what an older one did not have takes its default.

        Raises:
            ValueError: text that is no recipe, or values that no run could use.
        """
        try:
            values = json.loads(text)
        except ValueError as error:
            raise ValueError(f"A recipe must be complete JSON, this is not ({error}).") from None
        if not isinstance(values, dict):
            raise ValueError("A recipe must be a JSON object of fields and values.")
        check_fields(values)
        values = {name: _frozen(value) for name, value in values.items()}
        try:
            if isinstance(values.get("arch"), dict):
                values["arch"] = SPECS[values["arch"].pop("spec")](**values["arch"])
            if isinstance(values.get("codec"), dict):
                values["codec"] = CODECS[values["codec"].pop("name")](**values["codec"])
            if isinstance(values.get("keypoints"), dict):
                values["keypoints"] = KeypointSet(**values["keypoints"])
            elif "keypoints" in values:
                values["keypoints"] = KEYPOINT_SETS[values["keypoints"]]
            return Recipe(**values)
        except (KeyError, TypeError) as error:
            raise ValueError(
                f"A recipe must have the fields of `to_json`, but {error}. "
                "A newer hrnet_tf may know it."
            ) from None


def load_recipe(name: str) -> Recipe:
    """The recipe on the page `recipes/<name>.py`, or in a file such as `runs/a/recipe.json`.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: there is no such page (the closest are listed), or the file is no recipe.
    """
    if str(name).endswith(".json"):
        if not Path(name).is_file():
            raise FileNotFoundError(f"`recipe` must be a page or a file. Received: recipe={name}.")
        try:
            return Recipe.from_json(Path(name).read_text(encoding="utf-8"))
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from None
    if name not in PAGES:
        close = difflib.get_close_matches(name, PAGES, n=3) or PAGES
        raise ValueError(
            f"`recipe` must be a page in training/recipes or a .json file. Received: "
            f"recipe={name!r}. Did you mean {', '.join(close)}?"
        )
    return importlib.import_module(f"{recipes.__name__}.{name}").RECIPE


def check_fields(names: Iterable[str]) -> None:
    """Raises a ValueError that helps if one of the names is no field of a recipe."""
    fields = [field.name for field in dataclasses.fields(Recipe)]
    for name in names:
        if name not in fields:
            close = difflib.get_close_matches(name, fields, n=1) or fields
            raise ValueError(f"A recipe has no field {name!r}. Did you mean {', '.join(close)}?")


def _frozen(value: object) -> object:
    """JSON with tuples in place of lists, so that recipes compare equal."""
    if isinstance(value, dict):
        return {key: _frozen(each) for key, each in value.items()}
    return tuple(map(_frozen, value)) if isinstance(value, list) else value
