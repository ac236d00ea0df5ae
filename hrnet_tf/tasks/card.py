"""What every network expects of its images, and what its outputs look like."""

import dataclasses
import json
from typing import ClassVar

import numpy as np
from keras import ops

VERSION = 1


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

    def denormalize(self, crops):
        """Grey levels of network input: the inverse of `normalize`, for pictures.

        Args:
            crops: (..., H, W, 3), a NumPy array.

        Returns:
            (..., H, W, 3) uint8.
        """
        mean, std = np.float32(self.mean), np.float32(self.std)
        levels = np.round(255 * (np.asarray(crops, np.float32) * std + mean))
        return levels.clip(0, 255).astype(np.uint8)

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
        """The card as JSON text, which `card_files.card_from_json` turns into an equal card."""
        return pretty({"version": VERSION, "task": self.task, **self._fields()}) + "\n"

    def _fields(self):
        return dataclasses.asdict(self)

    @classmethod
    def from_fields(cls, fields: dict) -> "Card":
        """The card of the fields that `to_json` wrote."""
        return cls(**fields)


def exchanged(count, pairs):
    """Ids 0..count-1 with those of each pair exchanged."""
    index = list(range(count))
    for a, b in pairs:
        index[a], index[b] = b, a
    return tuple(index)


def frozen(value):
    """JSON with tuples in place of lists, so that cards compare equal."""
    if isinstance(value, dict):
        return {key: frozen(each) for key, each in value.items()}
    return tuple(map(frozen, value)) if isinstance(value, list) else value


def pretty(value, margin=""):
    """JSON text with a line per field and lists on one line."""
    if not isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False)
    inner = margin + "  "
    lines = (f'{inner}"{key}": {pretty(each, inner)}' for key, each in value.items())
    return "{\n" + ",\n".join(lines) + "\n" + margin + "}"
