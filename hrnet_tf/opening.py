"""Networks by name or file, with their cards, as functions from images to maps or logits."""

import logging
import os
from collections.abc import Mapping
from pathlib import Path

import keras

from hrnet_tf.presets import PRESETS, from_preset
from hrnet_tf.runtime.converted import RUNTIMES, open_converted
from hrnet_tf.runtime.keras_model import fixed_size, output_shape
from hrnet_tf.tasks.card import Card
from hrnet_tf.tasks.card_files import read_card

LOG = logging.getLogger(__name__)


def known_card(model: str | os.PathLike) -> Card | None:
    """The card of a preset, or the one beside a file; None if there is none.

    Raises:
        ValueError: the file there is not a card.
    """
    if Path(model).suffix:
        return read_card(model)
    preset = PRESETS.get(str(model))
    return preset and preset.card


def load_network(
    model: str | os.PathLike, weights: str | os.PathLike | Mapping | None = "published"
) -> tuple[object, Card | None]:
    """Opens a network by name or file.

    Args:
        model: a preset, or a `.keras`, `.tflite` or `.onnx` file with its card beside it.
        weights: for a preset, as in `from_preset`: "published", a checkpoint, or None for random.

    Returns:
        `(model, card)`: a `keras.Model`, or for a converted file a function of images as
        `runtimes.open_converted` returns it; the card is None if there is none.

    Raises:
        OSError, ValueError: no such preset or file, or it cannot be opened.
        ModuleNotFoundError: what runs a converted file is not installed.
    """
    suffix = Path(model).suffix
    if suffix not in ("", ".keras", *RUNTIMES):
        raise ValueError(
            "`model` must be a preset or a .keras, .tflite or .onnx file. "
            f"Received: model={str(model)!r}. "
            "A checkpoint goes into `weights`, beside the preset of its architecture."
        )
    if not suffix:
        return from_preset(str(model), weights=weights), known_card(model)
    if weights != "published":
        raise ValueError(
            f"`weights` go with a preset; a {suffix} file has its own. "
            f"Received: weights={str(weights)!r}."
        )
    if not Path(model).is_file():
        raise FileNotFoundError(f"{model}: no such file; check its name.")
    card = read_card(model)
    return FirstOutput(open_converted(model)) if suffix in RUNTIMES else _load_keras(model), card


class FirstOutput:
    """A converted file as a function from images to its first output, as predictors call it.

    Attributes:
        network: all of the file, a `Network`.
        input_shape: (None, height, width, 3).
        output_shape: of the first output by name.
    """

    def __init__(self, network):
        if [len(shape) for shape in network.inputs.values()] != [3]:
            raise ValueError(
                f"`model` must take one image (height, width, 3). Received: {network.inputs}."
            )
        self.network = network
        self.input_shape = (None, *network.inputs["image"])
        self.output_shape = (None, *next(iter(network.outputs.values())))

    def __call__(self, images):
        """The first output (B, ...) of images (B, H, W, 3)."""
        return next(iter(self.network({"image": images}).values()))


def _load_keras(path):
    try:
        return keras.models.load_model(path, compile=False)
    except Exception as error:  # zip, HDF5 and Keras each raise their own on a damaged file
        reason = str(error).strip().split("\n")[0] or type(error).__name__
        raise ValueError(
            f"{path}: cannot be opened by Keras {keras.__version__} ({reason}). "
            "Check that it was saved by this or an older Keras, and copied whole."
        ) from error


def open_network(
    model: str | os.PathLike | object,
    card: Card | None,
    weights: str | os.PathLike | Mapping | None,
    kind: type[Card],
) -> tuple[object, Card]:
    """What a predictor of one task is given as network, and its card.

    A name or file is opened; anything else is returned as it is.

    Raises:
        OSError, ValueError: it cannot be opened, or is of another task than `kind`.
    """
    name = getattr(model, "name", "The network")
    if isinstance(model, str | os.PathLike):
        name = model
        model, found = load_network(model, weights)
        card = card or found
    card = card or _assumed(model, name, kind)
    if not isinstance(card, kind):
        raise ValueError(
            f"`model` must be a network for {kind.task}. Received: {name}, whose card says "
            f"{card.task}. `hrnet-tf predict` takes either."
        )
    shape = output_shape(model)
    if shape is not None or isinstance(model, keras.Model):
        card.check_output(shape)
    return model, card


def _assumed(model, name, kind):
    """The card of a network that comes without one; raises if its channels are unusual."""
    card, channels = kind(), (output_shape(model) or (None,))[-1]
    if channels != card.channels:
        raise ValueError(
            f"`card` must say what the network's channels mean unless they are {kind.default}. "
            f"Received: card=None, channels={channels}. Write one with hrnet_tf.write_card."
        )
    LOG.warning("%s has no card: assuming %s and ImageNet normalisation.", name, kind.default)
    return card


def crop_size(model: object, input_size: tuple[int, int] | None) -> tuple[int, int]:
    """(height, width) of the crops: the network's own, or `input_size` if it fixes none."""
    size = fixed_size(model) or input_size
    if size is None:
        raise ValueError(
            "`input_size` must be the (height, width) of the crops if the network does not fix it. "
            "Received: input_size=None. HRNet's usual one is (256, 192), for classification "
            "(224, 224)."
        )
    return tuple(size)
