"""Networks as functions from named arrays to named arrays, whatever computes them.

Shapes are written without the batch axis; None stands for an open size. A network with one input
calls it "image".
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

import numpy as np

Arrays = Mapping[str, np.ndarray]
Shapes = Mapping[str, tuple[int | None, ...]]
IMAGES: Shapes = {"image": (None, None, 3)}  # what a network takes unless it says otherwise


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
        outputs: shapes of what it returns, if known; an array takes the first name, or "output".
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


def renamed(network: Network, names: Iterable[str]) -> Network:
    """The network with its only output under the only one of `names`.

    Files and models of others call a lone output as they like; its card knows what it is. A network
    with several outputs, or a card with several names, is returned as it is.
    """
    names = [*names]
    if len(names) != 1 or len(network.outputs) > 1 or names == [*network.outputs]:
        return network
    return _Renamed(network, names[0])


def fixed_size(network: Network) -> tuple[int, int] | None:
    """(height, width) of the only images a network takes; None if it takes several sizes."""
    shape = network.inputs.get("image", ())
    size = tuple(shape[:2]) if len(shape) == 3 else (None,)
    return None if None in size else size
