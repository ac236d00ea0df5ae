"""The base class of cards: how to feed a network, and the shapes of its outputs."""

import dataclasses
import json
from collections.abc import Callable
from typing import ClassVar, NamedTuple

import numpy as np
from keras import ops

from hrnet_tf.runtime.network import Arrays, Shapes

VERSION = 1
GREY = (0.299, 0.587, 0.114)  # shares of red, green and blue, ITU-R BT.601


class Decoder(NamedTuple):
    """A further output that a converted file can have, computed from another one.

    Attributes:
        name: name of the further output.
        source: name of the output that it is computed from.
        shape: its shape without the batch axis.
        meaning: what its numbers are, in words.
        function: computes it from the source's values, in `keras.ops` alone.
    """

    name: str
    source: str
    shape: tuple[int, ...]
    meaning: str
    function: Callable


@dataclasses.dataclass(frozen=True, kw_only=True)
class Card:
    """How to feed a network, and the shapes of its outputs; each task has a subclass.

    Attributes:
        task: the network's task, one of `cards.NAMES`.
        returns: the kind of its output, for messages: "heat maps", "logits".
        default: the labels of a card without arguments, for messages.
        training_only: outputs that networks of the task have for training alone; converted files
            leave them out.
        channels: order of the input's channels, "rgb" or "bgr".
        later: fields that cards of earlier versions lack; they have their defaults there.
        mean: subtracted from each channel of an RGB image scaled to 0..1; a single number for
            networks that take grey images.
        std: divides each channel after that.

    Raises:
        ValueError: there are not three means and stds, or one of each, or a std is not positive.
    """

    task: ClassVar[str]
    returns: ClassVar[str]
    default: ClassVar[str]
    training_only: ClassVar[tuple[str, ...]] = ()
    channels: ClassVar[str] = "rgb"
    later: ClassVar[tuple[str, ...]] = ("scores", "one_channel")
    mean: tuple[float, ...] = (0.485, 0.456, 0.406)
    std: tuple[float, ...] = (0.229, 0.224, 0.225)

    def __post_init__(self):
        if len(self.mean) not in (1, 3) or len(self.std) != len(self.mean) or min(self.std) <= 0:
            raise ValueError(
                "`mean` and `std` must have three numbers, or one for grey images, and `std` must "
                "be positive. "
                f"Received: mean={self.mean}, std={self.std}."
            )

    def normalize(self, crops):
        """Network input for RGB crops: (x / 255 - mean) / std.

        Args:
            crops: (..., H, W, 3) grey levels 0..255.

        Returns:
            (..., H, W, 3) float32; (..., H, W, 1) for networks that take grey images. A NumPy array
            for NumPy arrays of three channels, in less time than through the backend.
        """
        mean, std = (np.array(each, np.float32) for each in (self.mean, self.std))
        plain = isinstance(crops, np.ndarray)
        crops = crops.astype(np.float32) if plain else ops.cast(crops, "float32")
        if len(self.mean) == 1:
            crops = ops.sum(crops * ops.convert_to_tensor(GREY, "float32"), -1, keepdims=True)
        return (crops / 255.0 - mean) / std

    def inputs(self) -> Shapes:
        """Inputs of the network: name -> shape without the batch, None for an open size."""
        return {"image": (None, None, len(self.mean))}

    def outputs(self) -> Shapes:
        """The outputs that prediction reads: name -> shape, as in `inputs`."""
        raise NotImplementedError

    def labels(self) -> tuple[str, ...]:
        """Names of the output's channels; empty if they have none."""
        return ()

    def denormalize(self, crops):
        """The inverse of `normalize`, to draw crops as the network saw them.

        Args:
            crops: (..., H, W, 3) or (..., H, W, 1) network input, a NumPy array.

        Returns:
            (..., H, W, 3) grey levels, uint8.
        """
        mean, std = np.float32(self.mean), np.float32(self.std)
        levels = np.round(255 * (np.asarray(crops, np.float32) * std + mean))
        levels = np.broadcast_to(levels, (*levels.shape[:-1], 3))
        return levels.clip(0, 255).astype(np.uint8)

    @property
    def label_set(self) -> str:
        """The name of the set of labels; empty if the outputs have no labels."""
        return ""

    def decoder(self) -> "Decoder | None":
        """Decoding that a converted file can contain; None if the task has none."""
        return None

    @property
    def meaning(self) -> str:
        """The number and kind of the channels, for messages."""
        return f"{len(self.labels())} classes"

    def check_inputs(self, inputs: Shapes) -> None:
        """Raises ValueError unless the network takes images of as many channels as the card's.

        Their height and width must both be fixed, or both open.
        """
        shape, (*_, wanted) = inputs.get("image", ()), self.inputs()["image"]
        if len(shape) == 3 and (shape[0] is None) != (shape[1] is None):
            raise ValueError(
                "The network must fix height and width of its images, or neither. "
                f"Received: inputs={dict(inputs)}. Build it with keras.Input((None, None, "
                f"{shape[2]})), or with both."
            )
        if len(shape) == 3 and shape[-1] not in (None, wanted):
            way = {
                1: "Give it a card with one `mean` and `std`, and pictures are turned grey",
                3: "Give it a card with three of `mean` and `std`",
            }.get(shape[-1], "hrnet_tf feeds images of 3 channels (RGB) or 1 (grey)")
            raise ValueError(
                f"The network takes images of {shape[-1]} channels, its card describes {wanted}. "
                f"Received: inputs={dict(inputs)}. {way}."
            )

    def check(self, outputs: Shapes) -> None:
        """Raises ValueError unless `outputs` include those of the card, with its shapes."""
        for name, wanted in self.outputs().items():
            found = outputs.get(name)
            fits = found is not None and len(found) == len(wanted)
            if not fits or any(n not in (None, m) for n, m in zip(wanted, found, strict=True)):
                free = iter("hwd")
                axes = ", ".join(str(next(free) if n is None else n) for n in wanted)
                shape = ", ".join(map(str, found or ()))
                received = f"shape=(B, {shape})" if found else f"outputs={', '.join(outputs)}"
                way = "" if found else f", or name its output: keras.Model(inputs, {{{name!r}: …}})"
                raise ValueError(
                    f"The network must return {self.returns} (B, {axes}) for {self.meaning}. "
                    f"Received: {received}. Use the card it was trained with{way}."
                )

    def check_arrays(self, found: Arrays) -> None:
        """`check` of arrays (B, ...) that a network has returned."""
        self.check({name: np.shape(each)[1:] for name, each in found.items()})

    def to_json(self) -> str:
        """The card as JSON text, which `files.card_from_json` turns into an equal card."""
        return pretty({"version": VERSION, "task": self.task, **self._fields()}) + "\n"

    def _fields(self):
        return dataclasses.asdict(self)

    @classmethod
    def from_fields(cls, fields: dict) -> "Card":
        """The card of the fields that `to_json` wrote."""
        return cls(**fields)


def exchanged(count, pairs):
    """The ids 0..count-1 as a tuple, the two ids of each pair exchanged."""
    index = list(range(count))
    for a, b in pairs:
        index[a], index[b] = b, a
    return tuple(index)


def frozen(value):
    """A JSON value with tuples in place of lists, so that cards compare equal."""
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
