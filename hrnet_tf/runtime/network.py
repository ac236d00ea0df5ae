"""The interface of networks: functions from named arrays to named arrays.

Shapes are written without the batch axis; None stands for an open size. If a network has a single
input, its name is "image".
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

import numpy as np

Arrays = Mapping[str, np.ndarray]
Shapes = Mapping[str, tuple[int | None, ...]]
IMAGES: Shapes = {"image": (None, None, 3)}  # default for functions without `input_shape`


class Network(Protocol):
    """A function from named arrays to named arrays.

    Attributes:
        inputs: shape of each input by name.
        outputs: shape of each output by name; empty if it is not known before a call.
    """

    inputs: Shapes
    outputs: Shapes

    def __call__(self, arrays: Arrays) -> dict[str, np.ndarray]:
        """All outputs (B, ...) for all inputs (B, ...)."""


class ArrayFunction:
    """Any function of images as a `Network`.

    Args:
        function: maps images (B, H, W, 3) float32 to an array (B, ...), or to arrays by name.
        inputs: shape of its only input, under the name "image".
        outputs: shapes of its outputs, if known. If the function returns a single array, the array
            gets the first of these names, or "output".
    """

    def __init__(self, function: Callable, inputs: Shapes = IMAGES, outputs: Shapes | None = None):
        self._function = function
        self.inputs, self.outputs = dict(inputs), dict(outputs or {})

    def __call__(self, arrays: Arrays) -> dict[str, np.ndarray]:
        found = self._function(arrays["image"])
        if not isinstance(found, Mapping):
            found = {next(iter(self.outputs), "output"): found}
        return {name: np.asarray(value) for name, value in found.items()}


class _Renamed:
    """A network whose only output has another name."""

    def __init__(self, network, name):
        self._network, self._name = network, name
        self.inputs = network.inputs
        self.outputs = dict(zip([name], network.outputs.values(), strict=False))

    def __call__(self, arrays):
        found = self._network(arrays)
        return dict(zip([self._name], found.values(), strict=True)) if len(found) == 1 else found


class Divided:
    """A network in parts, such as a detector in several files; its predictor runs them in turn.

    Attributes:
        inputs: shape of each input of the whole by name.
        outputs: shape of each output of the whole by name.
        parts: the parts by name; the first one, "image", takes the image.
    """

    def __init__(self, parts: Mapping[str, Network], inputs: Shapes, outputs: Shapes):
        self.parts, self.outputs = dict(parts), dict(outputs)
        self.inputs = {**inputs, **self.parts["image"].inputs}

    def __call__(self, arrays: Arrays) -> dict[str, np.ndarray]:
        """Raises ValueError: only the predictor of its task can run the parts."""
        raise ValueError(
            f"`network` consists of the parts {', '.join(self.parts)}; run it by "
            "hrnet_tf.predictor, or run `parts` one after the other."
        )


def renamed(network: Network, names: Iterable[str]) -> Network:
    """The network with its only output renamed to the only one of `names`.

    A file or model from elsewhere may have any name for its output; `names` are the card's names.
    A network with several outputs is returned as it is, also if there are several names.
    """
    names = [*names]
    if len(names) != 1 or len(network.outputs) > 1 or names == [*network.outputs]:
        return network
    return _Renamed(network, names[0])


def fixed_size(network: Network) -> tuple[int, int] | None:
    """(height, width) of a network with a fixed input size; None if it takes several sizes."""
    shape = network.inputs.get("image", ())
    size = tuple(shape[:2]) if len(shape) == 3 else (None,)
    return None if None in size else size
