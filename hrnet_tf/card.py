"""How to feed a network and read its output: a small JSON file beside a model file."""

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

import keras
from keras import ops

from hrnet_tf.classes import CITYSCAPES, IMAGENET, Color
from hrnet_tf.codecs import DARK, MSRA, UDP, Codec, Face, UDPCombined
from hrnet_tf.files import whole
from hrnet_tf.keypoints import COCO, KeypointSet

VERSION = 1
CODECS = {codec().name: codec for codec in (MSRA, DARK, UDP, UDPCombined, Face)}
RESIZES = ("none", "long", "short", "both")
INTERPOLATIONS = ("bilinear", "bicubic")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Card:
    """What every network expects of its images, and what its output looks like.

    Attributes:
        task: what the network is for.
        output: what it returns, in words.
        rank: number of axes of that, the channels last.
        default: what the channels mean unless the card says otherwise.
        mean: of each channel of an RGB image scaled to 0..1.
        std: likewise.

    Raises:
        ValueError: not three means or stds, or a std that is not positive.
    """

    task: ClassVar[str]
    output: ClassVar[str]
    rank: ClassVar[int]
    default: ClassVar[str]
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    std: tuple[float, float, float] = (0.229, 0.224, 0.225)

    def __post_init__(self):
        if len(self.mean) != 3 or len(self.std) != 3 or min(self.std) <= 0:
            raise ValueError(
                "`mean` and `std` must have three numbers, and `std` must be positive. "
                f"Received: mean={self.mean}, std={self.std}."
            )

    def normalize(self, crops):
        """Network input for RGB crops: (x / 255 - mean) / std.

        Args:
            crops: (..., H, W, 3) grey levels 0..255.

        Returns:
            (..., H, W, 3) float32.
        """
        mean, std = (ops.convert_to_tensor(each, "float32") for each in (self.mean, self.std))
        return (ops.cast(crops, "float32") / 255.0 - mean) / std

    @property
    def channels(self) -> int:
        """How many channels the network must return."""
        return len(self.classes)

    @property
    def meaning(self) -> str:
        """What the channels are, in words."""
        return f"{len(self.classes)} classes"

    def check_output(self, shape: tuple | None) -> None:
        """Raises ValueError if a network that returns this shape cannot be meant."""
        axes, channels = ("B", "h", "w")[: self.rank - 1], self.channels
        if shape is None or len(shape) != self.rank or shape[-1] != channels:
            raise ValueError(
                f"The network must return {self.output} ({', '.join(axes)}, {channels}) for "
                f"{self.meaning}. Received: shape={shape and tuple(shape)}. "
                "Use the card it was trained with."
            )

    def to_json(self) -> str:
        """The card as JSON text, which `from_json` turns into an equal card."""
        return _pretty({"version": VERSION, "task": self.task, **self._fields()}) + "\n"

    def _fields(self):
        return dataclasses.asdict(self)

    @staticmethod
    def from_json(text: str) -> "Card | None":
        """The card that `to_json` wrote; its task decides the class, without one there is no card.

        Raises:
            ValueError: text that is not a whole card, an unknown task or codec, lengths that
                disagree.
        """
        try:
            card = json.loads(text)
        except ValueError as error:
            raise ValueError(f"A card must be complete JSON, this text is not ({error}).") from None
        card = card if isinstance(card, dict) else {}
        task = card.pop("task", "pose")  # the first cards did not tell
        if task is None:
            return None
        if task not in CARDS:
            raise ValueError(
                f"`task` of a card must be one of {', '.join(CARDS)}. Received: {task!r}. "
                "A newer hrnet_tf may know it."
            )
        names = [field.name for field in dataclasses.fields(CARDS[task])]
        missing = {"version", *names} - set(card)
        if missing:
            raise ValueError(
                f"A {task} card must have {', '.join(sorted(missing))}; this text has not."
            )
        if card["version"] != VERSION:
            raise ValueError(
                f"A card must be of version {VERSION}. Received: version={card['version']!r}. "
                "A newer hrnet_tf may read it."
            )
        try:
            return CARDS[task]._from_fields({name: _frozen(card[name]) for name in names})
        except TypeError as error:
            raise ValueError(
                f"A {task} card must have the fields of `to_json`, but {error}."
            ) from None

    @classmethod
    def _from_fields(cls, fields):
        return cls(**fields)


@dataclasses.dataclass(frozen=True)
class PoseCard(Card):
    """What a pose network expects and what its channels mean.

    Attributes:
        keypoints: the K keypoints behind the channels.
        codec: reads the heat maps; it also decides how crops are aligned.
        padding: the crop shows this many times a person's box.

    Raises:
        ValueError: what `Card` raises, or a padding that is not positive.
    """

    task: ClassVar[str] = "pose"
    output: ClassVar[str] = "heat maps"
    rank: ClassVar[int] = 4
    default: ClassVar[str] = "COCO's 17 joints"
    keypoints: KeypointSet = COCO
    codec: Codec = dataclasses.field(default_factory=MSRA)
    padding: float = 1.25

    def __post_init__(self):
        super().__post_init__()
        if self.padding <= 0:
            raise ValueError(f"`padding` must be positive. Received: padding={self.padding}.")

    @property
    def channels(self) -> int:
        """How many heat maps the codec makes of the keypoints."""
        return self.codec.channels(len(self.keypoints.names))

    @property
    def meaning(self) -> str:
        """What the channels are, in words."""
        count, name = len(self.keypoints.names), self.keypoints.name
        return f"{count} keypoints of {name} and the {self.codec.name} codec"

    @property
    def flip_index(self) -> tuple[int, ...]:
        """For each of the K keypoints the one it becomes in a mirrored image."""
        return _exchanged(len(self.keypoints.names), self.keypoints.flip_pairs)

    def _fields(self):
        codec = {"name": self.codec.name, **dataclasses.asdict(self.codec)}
        return dataclasses.asdict(self) | {"codec": codec}

    @classmethod
    def _from_fields(cls, fields):
        keypoints, codec = KeypointSet(**fields["keypoints"]), _codec(**fields["codec"])
        return cls(**fields | {"keypoints": keypoints, "codec": codec})


@dataclasses.dataclass(frozen=True)
class SegmentationCard(Card):
    """What a segmentation network expects and what its channels mean.

    Attributes:
        classes: names of the channels.
        palette: RGB 0..255, one per class.
        align_corners: how the logits are upsampled to the image: as in the network.
        flip_pairs: classes that change places in a mirrored image, such as left and right arm.
        resize: the side of the image that is scaled to `base_size` first: "long" or "short", "both"
            (which changes its proportions), or "none": it keeps its size.
        base_size: pixels; None with "none".

    Raises:
        ValueError: what `Card` raises, a palette of another length, pairs of other ids, another
            `resize` or one without size.
    """

    task: ClassVar[str] = "segmentation"
    output: ClassVar[str] = "logits"
    rank: ClassVar[int] = 4
    default: ClassVar[str] = "Cityscapes' 19 classes"
    classes: tuple[str, ...] = CITYSCAPES.names
    palette: tuple[Color, ...] = CITYSCAPES.palette
    align_corners: bool = False
    flip_pairs: tuple[tuple[int, int], ...] = ()
    resize: str = "none"
    base_size: int | None = None

    def __post_init__(self):
        super().__post_init__()
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

    @property
    def flip_index(self) -> tuple[int, ...]:
        """For each class the one it becomes in a mirrored image."""
        return _exchanged(len(self.classes), self.flip_pairs)


@dataclasses.dataclass(frozen=True)
class ClassificationCard(Card):
    """What a classification network expects and what its logits mean.

    Attributes:
        classes: names of the logits.
        crop_fraction: the share of the resized image's shorter side that the network sees.
        interpolation: "bilinear" or "bicubic", how the image is resized.

    Raises:
        ValueError: what `Card` raises, no classes, a fraction outside (0, 1], another
            interpolation.
    """

    task: ClassVar[str] = "classification"
    output: ClassVar[str] = "logits"
    rank: ClassVar[int] = 2
    default: ClassVar[str] = "ImageNet's 1000 classes"
    classes: tuple[str, ...] = IMAGENET.names
    crop_fraction: float = 0.875
    interpolation: str = "bilinear"

    def __post_init__(self):
        super().__post_init__()
        if not self.classes or not 0 < self.crop_fraction <= 1:
            raise ValueError(
                "`classes` must not be empty, `crop_fraction` must be above 0 and at most 1. "
                f"Received: {len(self.classes)} classes, crop_fraction={self.crop_fraction}."
            )
        if self.interpolation not in INTERPOLATIONS:
            raise ValueError(
                f"`interpolation` must be one of {', '.join(INTERPOLATIONS)}. "
                f"Received: interpolation={self.interpolation!r}."
            )


CARDS = {card.task: card for card in (PoseCard, SegmentationCard, ClassificationCard)}


def card_path(model_path: str | Path) -> Path:
    """Where the card of a model file lies: `x.keras` -> `x.json`."""
    return Path(model_path).with_suffix(".json")


def read_card(model_path: str | Path) -> Card | None:
    """The card beside a model file, None if there is none or it knows no task.

    Raises:
        ValueError: the file there is not a card.
    """
    path = card_path(model_path)
    if not path.is_file():
        return None
    try:
        return Card.from_json(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def write_card(
    model_path: str | Path, card: Card | None, facts: Mapping[str, object] | None = None
) -> None:
    """Write the card beside a model file: a whole file or none, whatever goes wrong.

    Args:
        model_path: of the model.
        card: None for a network whose task is not known; then only the facts are kept.
        facts: what else the file shall say, by field; `read_card` passes over it.
    """
    fields = json.loads(card.to_json()) if card else {"version": VERSION, "task": None}
    _write(model_path, {**fields, **(facts or {})})


def _write(model_path, fields):
    with whole(card_path(model_path)) as part:
        part.write_text(_pretty(fields) + "\n", encoding="utf-8")


def conversion_card(model_path: str | Path) -> dict:
    """All fields of the card beside a converted file, once it is sure that they describe this file.

    Raises:
        OSError: there is no such file.
        ValueError: no card of a conversion lies beside it, or that of other content.
    """
    path = card_path(model_path)
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
        sha256 = fields["conversion"]["sha256"]
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        raise ValueError(
            f"{path}: there must be the card that a .tflite or .onnx file was converted with; "
            "convert it again."
        ) from None
    with open(model_path, "rb") as content:
        if hashlib.file_digest(content, "sha256").hexdigest() != sha256:
            raise ValueError(
                f"{path}: describes another file than {Path(model_path).name}, their SHA-256 "
                "differ; convert it again."
            )
    return fields


def record_accuracy(model_path: str | Path, accuracy: Mapping[str, object]) -> None:
    """Notes in the card of a converted file what was measured, as `conversion.accuracy`.

    Args:
        model_path: of the file.
        accuracy: numbers and how they came about; takes the place of what was noted before.

    Raises:
        OSError, ValueError: of `conversion_card`, or the card cannot be written; it stays then.
    """
    fields = conversion_card(model_path)
    fields["conversion"]["accuracy"] = dict(accuracy)
    _write(model_path, fields)


def save_model(model: keras.Model, card: Card | None, path: str | Path) -> None:
    """Write a network, not compiled so that it opens without this package, and its card if any.

    Raises:
        OSError: a file cannot be written; each appears whole or not at all.
    """
    plain = keras.Model(model.input, model.output, name=model.name)
    with whole(path) as part:
        plain.save(part)
    if card:
        write_card(path, card)


def _codec(name, **numbers):
    if name not in CODECS:
        raise ValueError(
            f"`codec` of a pose card must be one of {', '.join(CODECS)}. Received: {name!r}. "
            "A newer hrnet_tf may know it."
        )
    return CODECS[name](**numbers)


def _exchanged(count, pairs):
    """Ids 0..count-1 with those of each pair exchanged."""
    index = list(range(count))
    for a, b in pairs:
        index[a], index[b] = b, a
    return tuple(index)


def _pretty(value, margin=""):
    """JSON with a line per field and lists on one line."""
    if not isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False)
    inner = margin + "  "
    lines = (f'{inner}"{key}": {_pretty(each, inner)}' for key, each in value.items())
    return "{\n" + ",\n".join(lines) + "\n" + margin + "}"


def _frozen(value):
    """JSON with tuples in place of lists, so that cards compare equal."""
    if isinstance(value, dict):
        return {key: _frozen(each) for key, each in value.items()}
    return tuple(map(_frozen, value)) if isinstance(value, list) else value
