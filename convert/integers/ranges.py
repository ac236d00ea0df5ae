"""What is measured of a network's results on examples: their ranges, and how noise in them matters.

Examples pass in small batches and only sums are kept, so memory grows with neither their number nor
the depth of the network.
"""

from collections.abc import Callable, Iterator, Mapping

import numpy as np
import tensorflow as tf

from hrnet_tf.convert.examples import batch_size, batched, count, part
from hrnet_tf.convert.graph.compute import Weights, compute, specs, tensors
from hrnet_tf.convert.graph.nodes import Graph, Node
from hrnet_tf.convert.integers.equalize import Extremes
from hrnet_tf.convert.integers.simulate import (
    MOVES,
    SHARES,
    SIGNED,
    Ranges,
    fused,
    scale_groups,
    whole_steps,
)
from hrnet_tf.runtime.network import Arrays

PIXELS = 2**18  # of all images in one batch
PIXELS_WITH_GRADIENTS = 2**16
EXAMPLES_FOR_GRADIENTS = 24


def quantizable(graph: Graph) -> list[Node]:
    """The nodes whose results become integers; decoded results and indices stay what they are."""
    inside = fused(graph)
    return [
        node
        for node in graph.nodes
        if node not in inside and node.kind != "decode" and node.dtype == "float32"
    ]


def rounded_anew(graph: Graph) -> list[Node]:
    """The quantizable nodes that round; the others pass on integers that they take."""
    return [node for node in quantizable(graph) if node.kind not in MOVES]


def extremes(graph: Graph, weights: Weights, examples: Arrays) -> Extremes:
    """Lowest and highest value of each channel of each result that is rounded.

    Args:
        graph: without normalizations.
        weights: of its nodes.
        examples: (N, ...) float32 for each input, as the network takes them.

    Raises:
        ValueError: a result is not finite.
    """

    def measure(node, x):
        x = tf.reshape(x, (-1, node.channels))
        return tf.reduce_min(x, 0), tf.reduce_max(x, 0)

    nodes, lows, highs = rounded_anew(graph), None, None
    for found in _measured(graph, weights, examples, nodes, measure):
        low, high = zip(*found, strict=True)
        lows = low if lows is None else [*map(np.minimum, lows, low)]
        highs = high if highs is None else [*map(np.maximum, highs, high)]
    for node, *limits in zip(nodes, lows, highs, strict=True):
        if not np.isfinite(limits).all():
            raise ValueError(
                f"{node.name}: its results are not finite, so they have no range. Does the network "
                "give numbers? If so, use float32, or keep them finite with `ops.clip`."
            )
    return dict(zip(nodes, zip(lows, highs, strict=True), strict=True))


def scaled(found: Extremes, scales: Mapping[Node, np.ndarray]) -> Extremes:
    """The extremes of an equalized network."""
    return {node: (low * scales[node], high * scales[node]) for node, (low, high) in found.items()}


def importance(graph: Graph, weights: Weights, examples: Arrays) -> dict[Node, np.ndarray]:
    """How much noise the outputs get from noise in each channel of each result that is rounded.

    Multiplied with the power of noise in a channel, it is the power of the noise that this causes
    in the outputs, relative to the power of the outputs. Zeros count as exact. It is measured by
    the gradients of a random mixture of all outputs, in one backward pass.

    Args:
        graph: without normalizations.
        weights: of its nodes.
        examples: (N, ...) float32 for each input; the first 24 are used.
    """
    weights, nodes = tensors(weights), rounded_anew(graph)

    @tf.function(autograph=False, input_signature=[specs(graph)])
    def call(arrays):
        found = {}

        def mark(node, x):
            if node in wanted:
                x = found[node] = tf.identity(x)
                tape.watch(x)
            return x

        wanted = set(nodes)
        with tf.GradientTape() as tape:
            outputs = compute(graph, arrays, weights, mark).values()
            floats = [_mixed(each) for each in outputs if each.dtype.is_floating]
            mixed = tf.add_n(floats or [tf.constant(0.0)])
        results = [found[node] for node in nodes]
        unused = tf.UnconnectedGradients.ZERO
        gradients = tape.gradient(mixed, results, unconnected_gradients=unused)
        return [
            tf.reduce_sum(tf.reshape(tf.where(x != 0, each * each, 0), (-1, node.channels)), 0)
            for node, x, each in zip(nodes, results, gradients, strict=True)
        ]

    total, examples = 0.0, part(examples, 0, EXAMPLES_FOR_GRADIENTS)
    for arrays in batched(examples, batch_size(graph, PIXELS_WITH_GRADIENTS)):
        found = call(_constants(arrays))
        # The outputs' own power is that of the batch, so batches count by their examples.
        total = [old + new.numpy() * count(arrays) for old, new in _paired(total, found)]
    return {node: each / count(examples) for node, each in zip(nodes, total, strict=True)}


def _paired(total, found):
    return zip(total or [0.0] * len(found), found, strict=True)


def _mixed(output):
    """A random mixture of all numbers of an output, divided by the root of their power."""
    noise = tf.random.stateless_normal(tf.shape(output), (1, 2))
    power = tf.stop_gradient(tf.reduce_sum(tf.square(output)))
    return tf.reduce_sum(output * noise) / tf.sqrt(power + 1e-12)


def min_max(graph: Graph, found: Extremes) -> Ranges:
    """Ranges that hold every value seen."""
    groups, limits = scale_groups(graph), {}
    for node, (low, high) in found.items():
        least, most = limits.get(groups[node], (0.0, 0.0))
        limits[groups[node]] = min(least, float(low.min())), max(most, float(high.max()))
    return _spread(graph, {group: whole_steps(*each) for group, each in limits.items()})


def _spread(graph, limits):
    """The range of each group for all nodes in it."""
    groups, fixed = scale_groups(graph), {}
    for node in rounded_anew(graph):
        if node.kind == "softmax" or node.settings.get("function") in ("sigmoid", "softmax"):
            fixed[groups[node]] = SHARES
        elif node.settings.get("function") == "tanh":
            fixed[groups[node]] = SIGNED
    limits = limits | fixed
    return {node: limits[groups[node]] for node in quantizable(graph)}


def _measured(
    graph: Graph, weights: Weights, examples: Arrays, nodes: list[Node], measure: Callable
) -> Iterator[list]:
    """`measure(node, tensor)` of these nodes for one batch of examples after the other."""
    weights = tensors(weights)

    @tf.function(autograph=False, input_signature=[specs(graph)])
    def call(arrays):
        found = {}

        def mark(node, x):
            if node in wanted:
                found[node] = measure(node, x)
            return x

        wanted = set(nodes)
        compute(graph, arrays, weights, mark)
        return [found[node] for node in nodes]

    for arrays in batched(examples, batch_size(graph, PIXELS)):
        yield tf.nest.map_structure(np.asarray, call(_constants(arrays)))


def _constants(arrays):
    return {name: tf.constant(each) for name, each in arrays.items()}
