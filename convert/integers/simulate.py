"""A graph computed with fake quantization: what int8 will change, before any file exists.

Fake quantization rounds a tensor to 256 steps of its range and keeps it float. The same operations
measure a loss, train a network for int8, and tell TFLite's converter which scales to use.
"""

import dataclasses
from collections.abc import Mapping

import tensorflow as tf

from hrnet_tf.convert.graph.compute import Weights
from hrnet_tf.convert.graph.nodes import Graph, Node

Ranges = Mapping[Node, tuple[float, float]]

# Nodes whose results have the scale of what they take. Those of `UNCHANGED` only move integers.
UNCHANGED = {"concat", "slice", "reshape", "permute", "pad", "nearest", "take", "expand", "tile"}
UNCHANGED |= {"max_pool"}
MOVES = UNCHANGED | {"resize", "corners", "average_pool"}
FUSED = ("conv", "depthwise", "dense", "add", "group_norm")  # see `fused`
# TFLite fixes the scale of sigmoid and softmax at 1/256: integers from 0 to just below 1.
SHARES = (0.0, 255 / 256)
SIGNED = (-1.0, 127 / 128)  # likewise that of tanh at 1/128
LEAST = 1e-9  # a kernel's largest number counts as at least this: steps of zeros are not zero


@dataclasses.dataclass(frozen=True, eq=False)
class Plan:
    """A network, and the ranges by which its tensors become integers.

    Attributes:
        graph: of `read_graph`, without normalizations.
        weights: of its nodes, instead of their own.
        ranges: lowest and highest value of each result that is quantized; the others stay float,
            or exist only inside a fused operation.
    """

    graph: Graph
    weights: Weights
    ranges: Ranges

    def mark(self, node: Node, x: tf.Tensor) -> tf.Tensor:
        """The result of a node, rounded if it has a range and is not of integers; for `compute`."""
        if node in self.ranges and node.kind not in UNCHANGED:
            return quantized(x, *self.ranges[node])
        return x


def fused(graph: Graph) -> set[Node]:
    """Nodes that TFLite fuses with the ReLU that alone reads them; their result never exists.

    A group normalization computes in float, and so does the ReLU behind it.
    """
    readers, found = graph.readers(), set()
    for node in graph.nodes:
        if node.kind == "activation" and node.settings["function"] in ("relu", "relu6"):
            (source,) = node.inputs
            if source.kind in FUSED and len(readers[source]) == 1:
                found.add(source)
    return found


def scale_groups(graph: Graph) -> dict[Node, Node]:
    """For each node a representative: nodes with the same one must have the same scale."""
    parent = {node: node for node in graph.nodes}

    def root(node):
        while parent[node] is not node:
            parent[node] = parent[parent[node]]
            node = parent[node]
        return node

    for node in graph.nodes:
        if node.kind in MOVES or node.settings.get("function") == "linear":
            for source in node.inputs:
                parent[root(source)] = root(node)
    return {node: root(node) for node in graph.nodes}


def whole_steps(low: float, high: float, bits: int = 8) -> tuple[float, float]:
    """The range, widened to hold 0 and moved so that 0 is one of its integers."""
    low, high = min(low, 0.0), max(high, 0.0)
    high = max(high, low + 1e-6)
    steps = 2**bits - 1
    scale = (high - low) / steps
    zero = round(-low / scale)
    return -zero * scale, (steps - zero) * scale


def quantized(x, low, high, bits: int = 8):
    """A tensor rounded to the steps of its range; gradients pass where values lie inside."""
    return tf.quantization.fake_quant_with_min_max_vars(x, low, high, num_bits=bits)


def quantized_kernel(node: Node, kernel):
    """A kernel rounded to -127..127 steps per output channel, as TFLite's converter rounds it."""
    shape = tf.shape(kernel)
    if node.kind == "depthwise":
        kernel = tf.reshape(kernel, (shape[0], shape[1], 1, -1))
    most = tf.reduce_max(tf.abs(kernel), range(len(kernel.shape) - 1))
    most = tf.stop_gradient(tf.maximum(most, LEAST))
    rounded = tf.quantization.fake_quant_with_min_max_vars_per_channel(
        kernel, -most, most, num_bits=8, narrow_range=True
    )
    return tf.reshape(rounded, shape)


def rounded(weights: Mapping) -> dict[Node, dict[str, tf.Tensor]]:
    """The same weights with kernels rounded to int8."""
    return {
        node: {**values, "kernel": quantized_kernel(node, values["kernel"])}
        for node, values in weights.items()
    }
