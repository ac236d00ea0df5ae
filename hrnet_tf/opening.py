"""Opens networks by name or file, with their cards, as functions of named arrays."""

import functools
import logging
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import keras

from hrnet_tf.cards.card import Card
from hrnet_tf.cards.files import check_conversion, other_parts, read_card
from hrnet_tf.collection import uncollected
from hrnet_tf.files import existing, sha256
from hrnet_tf.patches.keras_loading import made_when_assigned
from hrnet_tf.presets import PRESETS, find_preset, from_preset, weight_file
from hrnet_tf.runtime.converted import RUNTIMES, open_converted
from hrnet_tf.runtime.keras_files import SUFFIXES, load_keras, load_weights, network_file
from hrnet_tf.runtime.keras_model import (
    KerasNetwork,
    functional,
    last_activation,
    named_outputs,
)
from hrnet_tf.runtime.network import (
    IMAGES,
    ArrayFunction,
    Divided,
    Network,
    fixed_size,
    renamed,
)

UNNAMED = "The network"
LOG = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Opened:
    """A network that was opened by name or file.

    Attributes:
        name: the preset or path that it was opened by.
        network: the network as a function of named arrays.
        model: its Keras model, functional; None for a converted file. Of a network that was opened
            by name or file, it must not change after `network` was called.
        card: how to feed it and read its outputs; None if it has no card.
        file: the file with its weights; None for random weights or given arrays.
    """

    name: str
    network: Network
    model: keras.Model | None
    card: Card | None
    file: Path | None

    @functools.cached_property
    def sha256(self) -> str:
        """SHA-256 of the file, in hexadecimal digits; empty if there is no file."""
        return sha256(self.file) if self.file else ""


def known_card(model: str | os.PathLike) -> Card | None:
    """The card of a preset, or the one beside a file; None if there is none.

    Raises:
        ValueError: the file there is not a card, or no network is there.
    """
    if _is_path(model):
        return read_card(network_file(model))
    preset = PRESETS.get(str(model))
    return preset and preset.card


@uncollected()
def open_network(
    model: str | os.PathLike | keras.Model,
    weights: str | os.PathLike | Mapping | None = "published",
    threads: int | None = None,
    input_shape: tuple | None = None,
    precision: str = "float32",
) -> Opened:
    """Opens a network by name or file, as one functional Keras model or a converted file.

    Args:
        model: a preset; a `.keras`, `.h5`, `.tflite` or `.onnx` file with its card beside it; the
            folder of a training run; or a Keras model, which has no card.
        weights: for a preset, as in `from_preset`: "published", a checkpoint, or None for random;
            also a file of Keras' `save_weights`.
        threads: the number of threads that a converted file may use; all cores if None.
        input_shape: (height, width, channels) for a preset, instead of its own.
        precision: in which a Keras network computes; see `KerasNetwork`.

    Raises:
        OSError, ValueError: there is no such preset or file, or it cannot be opened.
        ModuleNotFoundError: the runtime of a converted file is not installed.
    """
    if isinstance(model, keras.Model):
        return _opened(model.name, functional(model), None, None, precision, frozen=False)
    if not _is_path(model):
        return _preset(str(model), weights, input_shape, precision)
    model = network_file(model)
    suffix = model.suffix
    if suffix not in (*SUFFIXES, *RUNTIMES):
        raise ValueError(
            "`model` must be a preset or a .keras, .h5, .tflite or .onnx file. "
            f"Received: model={str(model)!r}. "
            "A checkpoint goes into `weights`, beside the preset of its architecture."
        )
    if weights != "published":
        raise ValueError(
            f"`weights` go with a preset; a {suffix} file has its own. "
            f"Received: weights={str(weights)!r}."
        )
    existing(model)
    card = read_card(model)
    if suffix in RUNTIMES:
        refuse_precision(precision, str(model))
        network = _open_converted(model, card, threads)
        return Opened(str(model), network, None, card, Path(model))
    return _opened(model, load_keras(model), card, Path(model), precision)


def refuse_precision(precision: str, name: str) -> None:
    """Raises ValueError if another precision is asked of what is no Keras model."""
    if precision != "float32":
        raise ValueError(
            f"{name}: `precision` goes with a Keras network, and this one has its own. "
            f"Received: precision={precision!r}. Leave it out."
        )


def with_scores(card: Card | None, model: keras.Model) -> Card | None:
    """The card, corrected if it takes the results of the model's last activation for logits."""
    if card is None or getattr(card, "scores", None) != "logits":
        return card
    (name,) = card.outputs()
    outputs = named_outputs(model.output)
    tensor = (
        outputs.get(name, next(iter(outputs.values()))) if len(outputs) == 1 else outputs.get(name)
    )
    found = last_activation(tensor) if tensor is not None else None
    scores = {"softmax": "probabilities", "sigmoid": "sigmoid"}.get(found)
    if scores is None:
        return card
    LOG.warning("The network ends in a %s, so its card says scores=%r.", found, scores)
    return replace(card, scores=scores)


def as_network(model: object, card: Card | None = None) -> Network:
    """Wraps a Keras model, or any function of images, as a `Network`; returns a network as it is.

    A function may have attributes `input_shape` and `output_shape`, batch first, as Keras models
    have them.
    """
    if isinstance(model, keras.Model):
        model = KerasNetwork(model)
    elif not hasattr(model, "inputs"):
        given, found = (getattr(model, each, None) for each in ("input_shape", "output_shape"))
        outputs = {"output": tuple(found[1:])} if found else None
        model = ArrayFunction(model, {"image": tuple(given[1:])} if given else IMAGES, outputs)
    return renamed(model, card.outputs() if card else ())


def settled(
    model: str | os.PathLike | Opened | keras.Model | Network | Callable,
    card: Card | None,
    weights: str | os.PathLike | Mapping | None,
    kind: type[Card],
) -> tuple[Network, Card]:
    """The network and the card for a predictor of one task.

    A name or file is opened. A network without a card gets the default card of `kind` if it has as
    many channels as that card; a warning says so.

    Raises:
        OSError, ValueError: the model cannot be opened, or is of another task than `kind`.
    """
    if isinstance(model, str | os.PathLike):
        model = open_network(model, weights)
    name = getattr(model, "name", UNNAMED)
    source = model if isinstance(model, keras.Model) else getattr(model, "model", None)
    if isinstance(model, Opened):
        model, card = model.network, card or model.card
    if card is None:
        card = _assumed(as_network(model, kind()), name, kind)
    card = with_scores(card, functional(source)) if source is not None else card
    if not isinstance(card, kind):
        raise ValueError(
            f"`model` must be a network for {kind.task}. Received: {name}, whose card says "
            f"{card.task}. `hrnet-tf predict` takes either."
        )
    network = as_network(model, card)
    taken = {name: len(shape) for name, shape in network.inputs.items()}
    if taken != {name: len(shape) for name, shape in card.inputs().items()}:
        wanted = ", ".join(f"{name!r} {shape}" for name, shape in card.inputs().items())
        raise ValueError(
            f"`model` must take {wanted}, and for more inputs or fewer another card. "
            f"Received: {dict(network.inputs)}."
        )
    try:
        card.check_inputs(network.inputs)
        if network.outputs:
            card.check(network.outputs)
    except ValueError as error:
        if name == UNNAMED:
            raise
        raise ValueError(f"{name}: {error}") from error
    return network, card


def crop_size(network: Network, input_size: tuple[int, int] | None) -> tuple[int, int]:
    """(height, width) of the crops: the network's fixed input size, or else `input_size`."""
    size = fixed_size(network) or input_size
    if size is None:
        raise ValueError(
            "`input_size` must be the (height, width) of the crops if the network does not fix it. "
            "Received: input_size=None. HRNet's usual one is (256, 192), for classification "
            "(224, 224)."
        )
    return tuple(size)


def _is_path(model):
    """Whether it is a file or folder, and not the name of a preset."""
    return str(model) not in PRESETS and bool(Path(model).suffix or Path(model).is_dir())


def _preset(name, weights, input_shape, precision):
    if str(weights).endswith((".h5", ".hdf5")):
        with made_when_assigned():
            network = from_preset(name, None, input_shape)
            load_weights(network, weights)
        return _opened(name, network, known_card(name), Path(weights), precision)
    file = weight_file(find_preset(name), weights)
    network = from_preset(name, weights, input_shape)
    return _opened(name, network, known_card(name), file, precision)


def _opened(name, model, card, file, precision, frozen=True):
    try:
        network = as_network(KerasNetwork(model, frozen, precision), card)
        return Opened(str(name), network, model, with_scores(card, model), file)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from error


def _open_converted(path, card, threads):
    """A converted file with the further files that it needs, if it is a part of a network."""
    others = other_parts(path)
    for each in (path, *others.values()):
        check_conversion(each)
    network = open_converted(path, threads)
    if others and card:
        parts = {name: open_converted(other, threads) for name, other in others.items()}
        return Divided({"image": network, **parts}, card.inputs(), card.outputs())
    return renamed(network, card.outputs()) if card else network


def _assumed(network, name, kind):
    """The default card of a task; raises ValueError if the network has other channels.

    A task whose networks have several outputs has no default: nothing tells how to read them.
    """
    card = kind()
    if len(card.outputs()) > 1:
        raise ValueError(
            f"`card` must say how to feed a network for {kind.task} and what its outputs mean. "
            f"Received: card=None for {name}. Write one beside its file with hrnet_tf.write_card."
        )
    ((wanted, shape),) = card.outputs().items()
    channels = (network.outputs.get(wanted) or (None,))[-1]
    if channels != shape[-1]:
        raise ValueError(
            f"`card` must say what the network's channels mean unless they are {kind.default}. "
            f"Received: card=None, channels={channels}. Write one with hrnet_tf.write_card."
        )
    LOG.warning("%s has no card: assuming %s and ImageNet normalisation.", name, kind.default)
    return card
