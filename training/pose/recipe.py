"""The recipe of a pose network: adds crops, augmentation and scoring of people to `Recipe`."""

import dataclasses
from typing import ClassVar

from hrnet_tf.cards.codecs import MSRA, Codec
from hrnet_tf.cards.pose import CODECS, PoseCard, codec_fields
from hrnet_tf.labels.keypoint_files import read_keypoint_set
from hrnet_tf.labels.keypoint_sets import COCO, KEYPOINT_SETS
from hrnet_tf.labels.keypoints import KeypointSet
from hrnet_tf.training.pose.options import FORMATS, PROTOCOLS
from hrnet_tf.training.recipe import Recipe
from hrnet_tf.training.values import Form, choose


def _codec_from_plain(plain: dict) -> Codec:
    if not isinstance(plain, dict):
        return plain
    values = dict(plain)
    return CODECS[values.pop("name")](**values)


def _codec_from_text(text: str, current: Codec) -> Codec:
    """Parses a codec's name and settings; other settings are taken from `current`."""
    name, *settings = text.split(",")
    kind = choose("codec", name, CODECS)
    types = {field.name: field.type for field in dataclasses.fields(kind)}
    values = {key: getattr(current, key) for key in types if hasattr(current, key)}
    for setting in settings:
        key, _, value = setting.partition("=")
        try:
            values[key] = types[key](value)
        except (KeyError, ValueError):
            raise ValueError(
                f"`codec` {name} must be set as {','.join((name, *(f'{k}=…' for k in types)))}. "
                f"Received: codec={text!r}."
            ) from None
    return kind(**values)


def _keypoints_to_plain(keypoints: KeypointSet) -> str | dict:
    published = keypoints == KEYPOINT_SETS.get(keypoints.name)
    return keypoints.name if published else dataclasses.asdict(keypoints)


def _keypoints_from_plain(plain: str | dict) -> KeypointSet:
    return KeypointSet(**plain) if isinstance(plain, dict) else KEYPOINT_SETS[plain]


def _keypoints_from_text(text: str, current: KeypointSet) -> KeypointSet:
    if text.endswith(".json"):
        return read_keypoint_set(text)
    return choose("keypoints", text, KEYPOINT_SETS)


@dataclasses.dataclass(frozen=True, kw_only=True)
class PoseRecipe(Recipe):
    """How to train and judge one pose network; the defaults are those of Sun et al. CVPR 2019.

    Attributes:
        head: "v1" or "v2", as in `hrnet_tf.pose`.
        data_format: format of the annotation files: "coco", "mpii" or "landmarks".
        category: name or id of the category to train on, if the annotations have several.
        keypoints: what the annotations hold: a set's name or, on the command line, its .json file.
        codec: makes the targets and reads the heat maps; in text such as `dark` or `udp,sigma=3`.
        padding: the crop shows this many times a person's box.
        half_body_probability: how often a crop shows one half of a person with many joints.
        scale_factor: crops are scaled by at most 1 ± this.
        rotation_factor: degrees; see `spread`.
        spread: "normal": scale and rotation have these factors as standard deviations, rotation is
            at most twice its factor; "uniform": anything up to them is as likely.
        rotation_probability: how often crops are turned.
        flip_probability: how often crops are mirrored.
        color_jitter: brightness, contrast and saturation change by up to this share.
        cutout_probability: how often an ellipse of the crop is blackened (AID, Huang et al. 2020).
        hard_keypoints: number of worst joints of a person that count for the loss; 0: all.
        protocol: how `evaluate` scores: "original" or "annotated".
        flip_test: whether evaluation averages with the mirrored crop.
    """

    task: ClassVar[str] = "pose"
    forms: ClassVar = {
        **Recipe.forms,
        "codec": Form(codec_fields, _codec_from_plain, _codec_from_text),
        "keypoints": Form(_keypoints_to_plain, _keypoints_from_plain, _keypoints_from_text),
    }
    head: str = dataclasses.field(default="v1", metadata={"choices": ("v1", "v2")})
    data_format: str = dataclasses.field(default="coco", metadata={"choices": FORMATS})
    category: str = ""
    keypoints: KeypointSet = COCO
    codec: Codec = dataclasses.field(default_factory=MSRA)
    padding: float = 1.25
    half_body_probability: float = 0.3
    scale_factor: float = 0.35
    rotation_factor: float = 45.0
    spread: str = dataclasses.field(default="normal", metadata={"choices": ("normal", "uniform")})
    rotation_probability: float = 0.6
    flip_probability: float = 0.5
    color_jitter: float = 0.0
    cutout_probability: float = 0.0
    hard_keypoints: int = 0
    protocol: str = dataclasses.field(default="original", metadata={"choices": PROTOCOLS})
    flip_test: bool = True

    def __post_init__(self):
        super().__post_init__()
        self._require("padding", self.padding > 0, "be positive")
        events = ("half_body", "rotation", "flip", "cutout")
        self._require_share("color_jitter", *(f"{name}_probability" for name in events))
        scaled = 0 <= self.scale_factor < 1
        self._require("scale_factor", scaled, "be at least 0 and below 1")
        for name in ("hard_keypoints", "rotation_factor"):
            self._require(name, getattr(self, name) >= 0, "not be negative")

    @property
    def card(self) -> PoseCard:
        """How to feed the network that this recipe trains."""
        return PoseCard(keypoints=self.keypoints, codec=self.codec, padding=self.padding)

    def for_card(self, card: PoseCard) -> "PoseRecipe":
        """The recipe with a card's keypoints, codec and padding, without `hard_keypoints`."""
        return dataclasses.replace(
            self,
            keypoints=card.keypoints,
            codec=card.codec,
            padding=card.padding,
            hard_keypoints=0,
        )
