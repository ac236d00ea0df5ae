"""Activations that `compute` knows, alone or at the end of a layer."""

from collections.abc import Callable

import keras

from hrnet_tf.convert.graph.layers.fallback import fallback
from hrnet_tf.convert.graph.nodes import Node

_a = keras.activations


ACTIVATIONS = {
    _a.linear: "linear",
    _a.relu: "relu",
    _a.relu6: "relu6",
    _a.sigmoid: "sigmoid",
    _a.softmax: "softmax",
    _a.hard_silu: "hard_silu",
    _a.silu: "silu",
    _a.tanh: "tanh",
    _a.gelu: "gelu",
    _a.softplus: "softplus",
    _a.mish: "mish",
}


def activated(node: Node, function: Callable) -> Node:
    """The activation of a layer behind its node."""
    known_as, name = ACTIVATIONS.get(function), f"{node.name}.activation"
    if known_as == "linear":
        return node
    if known_as:
        return Node("activation", name, [node], node.shape, {"function": known_as})
    kind = getattr(function, "__name__", type(function).__name__)
    return fallback(name, f"{kind} activation", [node], node.shape, function)
