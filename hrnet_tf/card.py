"""How to feed a pose network and read its maps: a small JSON file beside a model file."""

import dataclasses
import json
from pathlib import Path

import keras
from keras import ops

from hrnet_tf.codecs import DARK, MSRA, UDP, Codec, UDPCombined
from hrnet_tf.files import whole
from hrnet_tf.keypoints import COCO, KeypointSet

VERSION = 1
CODECS = {codec().name: codec for codec in (MSRA, DARK, UDP, UDPCombined)}


@dataclasses.dataclass(frozen=True)
class PoseCard:
    """What a pose network expects and what its channels mean.

    Attributes:
        keypoints: the K keypoints behind the channels.
        codec: reads the heat maps; it also decides how crops are aligned.
        mean: of each channel of an RGB image scaled to 0..1.
        std: likewise.
        padding: the crop shows this many times a person's box.

    Raises:
        ValueError: not three means or stds, a std or padding that is not positive.
    """

    keypoints: KeypointSet = COCO
    codec: Codec = dataclasses.field(default_factory=MSRA)
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    std: tuple[float, float, float] = (0.229, 0.224, 0.225)
    padding: float = 1.25

    def __post_init__(self):
        if len(self.mean) != 3 or len(self.std) != 3 or min(*self.std, self.padding) <= 0:
            raise ValueError(
                "`mean` and `std` must have three numbers, `std` and `padding` must be positive. "
                f"Received: mean={self.mean}, std={self.std}, padding={self.padding}."
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
    def flip_index(self) -> tuple[int, ...]:
        """For each of the K keypoints the one it becomes in a mirrored image."""
        index = list(range(len(self.keypoints.names)))
        for a, b in self.keypoints.flip_pairs:
            index[a], index[b] = b, a
        return tuple(index)

    def to_json(self) -> str:
        """The card as JSON text, which `from_json` turns into an equal card."""
        card = {
            "version": VERSION,
            "keypoints": dataclasses.asdict(self.keypoints),
            "codec": {"name": self.codec.name, **dataclasses.asdict(self.codec)},
            "mean": self.mean,
            "std": self.std,
            "padding": self.padding,
        }
        return _pretty(card) + "\n"

    @classmethod
    def from_json(cls, text: str) -> "PoseCard":
        """The card that `to_json` wrote.

        Raises:
            ValueError: text that is not a whole card, an unknown codec, lengths that disagree.
        """
        try:
            card = json.loads(text)
        except ValueError as error:
            raise ValueError(
                f"A pose card must be complete JSON, this text is not ({error})."
            ) from None
        missing = {"version", *_fields(cls)} - set(card if isinstance(card, dict) else ())
        if missing:
            raise ValueError(
                f"A pose card must have {', '.join(sorted(missing))}; this text has not."
            )
        if card["version"] != VERSION:
            raise ValueError(
                f"A pose card must be of version {VERSION}. Received: version={card['version']!r}. "
                "A newer hrnet_tf may read it."
            )
        try:
            return cls(
                keypoints=KeypointSet(**_frozen(card["keypoints"])),
                codec=_codec(**card["codec"]),
                **{name: _frozen(card[name]) for name in ("mean", "std", "padding")},
            )
        except TypeError as error:
            raise ValueError(
                f"A pose card must have the fields of `to_json`, but {error}."
            ) from None


def card_path(model_path: str | Path) -> Path:
    """Where the card of a model file lies: `x.keras` -> `x.json`."""
    return Path(model_path).with_suffix(".json")


def read_card(model_path: str | Path) -> PoseCard | None:
    """The card beside a model file, None if there is none.

    Raises:
        ValueError: the file there is not a pose card.
    """
    path = card_path(model_path)
    if not path.is_file():
        return None
    try:
        return PoseCard.from_json(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def write_card(model_path: str | Path, card: PoseCard) -> None:
    """Write the card beside a model file: a whole file or none, whatever goes wrong."""
    text = card.to_json()
    with whole(card_path(model_path)) as part:
        part.write_text(text, encoding="utf-8")


def save_model(model: keras.Model, card: PoseCard, path: str | Path) -> None:
    """Write a network, not compiled so that it opens without this package, and its card.

    Raises:
        OSError: a file cannot be written; each appears whole or not at all.
    """
    plain = keras.Model(model.input, model.output, name=model.name)
    with whole(path) as part:
        plain.save(part)
    write_card(path, card)


def _codec(name, **numbers):
    if name not in CODECS:
        raise ValueError(
            f"`codec` of a pose card must be one of {', '.join(CODECS)}. Received: {name!r}. "
            "A newer hrnet_tf may know it."
        )
    return CODECS[name](**numbers)


def _pretty(value, margin=""):
    """JSON with a line per field and lists on one line."""
    if not isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False)
    inner = margin + "  "
    lines = (f'{inner}"{key}": {_pretty(each, inner)}' for key, each in value.items())
    return "{\n" + ",\n".join(lines) + "\n" + margin + "}"


def _fields(cls):
    return [field.name for field in dataclasses.fields(cls)]


def _frozen(value):
    """JSON with tuples in place of lists, so that cards compare equal."""
    if isinstance(value, dict):
        return {key: _frozen(each) for key, each in value.items()}
    return tuple(map(_frozen, value)) if isinstance(value, list) else value
