"""Functions of numbers: activations, arithmetic, and what sums or compares an axis.

Each function is a `table.Known.read`, or makes one.
"""

import keras
import numpy as np

from hrnet_tf.convert.graph.layers.activations import ACTIVATIONS
from hrnet_tf.convert.graph.layers.fallback import fallback
from hrnet_tf.convert.graph.nodes import Node


def activation(layer, sources, shape):
    name = ACTIVATIONS.get(layer.activation)
    if name is None:
        return None
    return Node("activation", layer.name, [*sources], shape, {"function": name})


def function(name):
    def read(operation, sources, shape):
        return Node("activation", operation.name, [*sources], shape, {"function": name})

    return read


def relu(layer, sources, shape):
    if layer.negative_slope or layer.threshold:
        return None
    name = {None: "relu", 6.0: "relu6"}.get(layer.max_value)
    return name and Node("activation", layer.name, [*sources], shape, {"function": name})


def softmax(operation, sources, shape):
    axis = operation.axis
    axis = axis if isinstance(axis, int) else tuple(axis or ())
    if axis != (1, 2) and (not isinstance(axis, int) or axis % (len(shape) + 1) == 0):
        return None
    return Node("softmax", operation.name, [*sources], shape, {"axis": axis})


def arithmetic(kind):
    def read(operation, sources, shape):
        first, second = sources
        if isinstance(first, Node) and isinstance(second, Node):
            if len(first.shape) != len(second.shape):
                return None
            return Node(kind, operation.name, [first, second], shape)
        turned = not isinstance(first, Node)
        node, constant = (second, first) if turned else (first, second)
        constant = np.asarray(constant, np.float32)
        rank = len(shape) + 1
        if constant.ndim > rank or (constant.ndim == rank and len(constant) > 1):
            return None  # it would have the batch's axis
        if turned and kind == "subtract":
            return _taken_from(operation.name, constant, node, shape)
        return Node(kind, operation.name, [node], shape, {"constant": constant})

    return read


def _taken_from(name, constant, node, shape):
    """`constant - node`, as `(node - constant) * -1`.

    TFLite's converter exchanges the operands of a difference or quotient that begins with a
    constant where it moves a transposition behind it.
    """
    difference = Node("subtract", f"{name}.turned", [node], shape, {"constant": constant})
    return Node("multiply", name, [difference], shape, {"constant": np.float32(-1)})


def divide(operation, sources, shape):
    first, second = sources
    if not isinstance(first, Node):
        return _divided_by(operation.name, np.asarray(first, np.float32), second, shape)
    if isinstance(second, Node) or not np.all(second):
        return None
    factor = (1 / np.asarray(second, np.float64)).astype(np.float32)
    return arithmetic("multiply")(operation, [first, factor], shape)


def _divided_by(name, constant, node, shape):
    """`constant / node`, without a quotient: see `_taken_from`."""

    def inverse(x):
        return constant * keras.ops.power(x, -1.0)

    return fallback(name, "Divide", [node], shape, inverse)


def reciprocal(operation, sources, shape):
    """As `1 / x`."""
    return _divided_by(operation.name, np.float32(1), sources[0], shape)


def merge(kind):
    """A sum or product of any number of tensors, two at a time."""

    def read(layer, sources, shape):
        if len({len(each.shape) for each in sources}) > 1:
            return None
        total, *more = sources
        for number, each in enumerate(more, 2):
            name = layer.name if number == len(sources) else f"{layer.name}.{number}"
            pairs = zip(total.shape, each.shape, strict=True)
            total = Node(kind, name, [total, each], tuple(map(max, pairs)))
        return total

    return read


def mean(operation, sources, shape):
    axes = getattr(operation, "axis", (1, 2))
    axes = tuple(axes) if isinstance(axes, list | tuple) else ()
    if sorted(axes) not in ([1, 2], [-3, -2]) or len(sources[0].shape) != 3:
        return None
    return Node("mean", operation.name, [*sources], shape, {"keepdims": operation.keepdims})


def argmax(operation, sources, shape):
    """Keras' own works on the bits of the numbers, to tell -0 from 0; TFLite cannot."""
    rank = len(sources[0].shape) + 1
    if operation.axis is None or operation.axis % rank == 0:
        return None
    settings = {"axis": operation.axis % rank}
    return Node("argmax", operation.name, [*sources], shape, settings, dtype="int32")


def einsum(operation, sources, shape):
    settings = {"subscripts": operation.subscripts}
    return Node("einsum", operation.name, [*sources], shape, settings)
