"""What is measured of the results of a network on real images: their ranges, and what they matter.

Images pass in small batches and only sums are kept, so memory grows with neither their number nor
the depth of the network.
"""

from collections.abc import Callable, Iterator

import numpy as np
import tensorflow as tf

from hrnet_tf.convert.graph.compute import Weights, batches, compute, tensors
from hrnet_tf.convert.graph.nodes import Graph, Node
from hrnet_tf.convert.integers.equalize import Extremes
from hrnet_tf.convert.integers.simulate import (
    MOVES,
    SHARES,
    Ranges,
    fused,
    scale_groups,
    whole_steps,
)

PIXELS = 2**18  # of the images in one batch
WITH_GRADIENTS = 2**16
CROPS = 24  # that gradients are taken on
CUTS = np.float32([0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0])  # shares of a range to try


def quantizable(graph: Graph) -> list[Node]:
    """The nodes whose results become integers; decoded keypoints stay float."""
    inside = fused(graph)
    return [node for node in graph.nodes if node not in inside and node.kind != "decode"]


def rounded_anew(graph: Graph) -> list[Node]:
    """Those of them that are rounded; the others take over integers."""
    return [node for node in quantizable(graph) if node.kind not in MOVES]


def extremes(graph: Graph, weights: Weights, crops: np.ndarray) -> Extremes:
    """Lowest and highest value of each channel of each result that is rounded.

    Args:
        graph: without normalizations.
        weights: of its nodes.
        crops: (N, H, W, 3) float32, as the network takes them.
    """

    def measure(node, x):
        axes = range(len(x.shape) - 1)
        return tf.reduce_min(x, axes), tf.reduce_max(x, axes)

    nodes, lows, highs = rounded_anew(graph), None, None
    for found in _measured(graph, weights, crops, nodes, measure):
        low, high = zip(*found, strict=True)
        lows = low if lows is None else [*map(np.minimum, lows, low)]
        highs = high if highs is None else [*map(np.maximum, highs, high)]
    return dict(zip(nodes, zip(lows, highs, strict=True), strict=True))


def scaled(found: Extremes, scales) -> Extremes:
    """The extremes of an equalized network."""
    return {node: (low * scales[node], high * scales[node]) for node, (low, high) in found.items()}


def importance(graph: Graph, weights: Weights, crops: np.ndarray) -> dict[Node, np.ndarray]:
    """How much noise the outputs get from noise in each channel of each result that is rounded.

    Times the power of the noise of a channel it is the power of noise in the outputs, relative to
    the outputs' own. Zeros count as exact. Measured by the gradients of a random mixture of all
    outputs, which takes one backward pass.

    Args:
        graph: without normalizations.
        weights: of its nodes.
        crops: (N, H, W, 3) float32; 24 are enough.
    """
    weights, nodes = tensors(weights), rounded_anew(graph)

    @tf.function(autograph=False, input_signature=[batches(graph)])
    def call(images):
        found = {}

        def mark(node, x):
            if node in wanted:
                x = found[node] = tf.identity(x)
                tape.watch(x)
            return x

        wanted = set(nodes)
        with tf.GradientTape() as tape:
            outputs = tf.nest.flatten(compute(graph, images, weights, mark))
            mixed = sum(map(_mixed, outputs))
        results = [found[node] for node in nodes]
        unused = tf.UnconnectedGradients.ZERO
        gradients = tape.gradient(mixed, results, unconnected_gradients=unused)
        return [
            tf.reduce_sum(tf.where(x != 0, tf.square(each), 0), range(len(x.shape) - 1))
            for x, each in zip(results, gradients, strict=True)
        ]

    total = 0.0
    for images in _batched(crops[:CROPS], WITH_GRADIENTS):
        found = call(images)
        # A single picture is an example of all: each batch has its own power.
        total = [old + new.numpy() * len(images) for old, new in _paired(total, found)]
    return {node: each / len(crops[:CROPS]) for node, each in zip(nodes, total, strict=True)}


def _paired(total, found):
    return zip(total or [0.0] * len(found), found, strict=True)


def _mixed(output):
    """A random mixture of all numbers of an output, of the power of one of them."""
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


def clipped(
    graph: Graph, weights: Weights, crops: np.ndarray, widest: Ranges, matter: dict
) -> Ranges:
    """Ranges that cut off rare values where finer steps for the others are worth more.

    Args:
        graph: without normalizations.
        weights: of its nodes.
        crops: (N, H, W, 3) float32.
        widest: of `min_max`.
        matter: of `importance`, for these weights.
    """
    groups, nodes = scale_groups(graph), rounded_anew(graph)

    def measure(node, x):
        # Per share of the range and channel: the sum of squares of what would be cut off.
        axes = range(len(x.shape) - 1)
        low, high = widest[node]
        above = [tf.reduce_sum(tf.square(tf.nn.relu(x - high * cut)), axes) for cut in CUTS]
        below = [tf.reduce_sum(tf.square(tf.nn.relu(low * cut - x)), axes) for cut in CUTS]
        return tf.stack(below), tf.stack(above), tf.math.count_nonzero(x, axes, dtype=tf.float32)

    sums = None
    for found in _measured(graph, weights, crops, nodes, measure):
        sums = found if sums is None else tf.nest.map_structure(np.add, sums, found)
    costs = {}
    for node, (below, above, count) in zip(nodes, sums, strict=True):
        share = matter[node] / np.maximum(count, 1)
        cost = np.stack([below @ share, above @ share]), matter[node].sum() / 12
        known = costs.get(groups[node], (0.0, 0.0))
        costs[groups[node]] = known[0] + cost[0], known[1] + cost[1]
    limits = {group: _cheapest(*widest[group], *cost) for group, cost in costs.items()}
    return _spread(graph, limits)


def _cheapest(low, high, cut_off, rounding):
    """The range that costs least; `cut_off` (2, cuts), `rounding` times the step squared."""
    lows, highs = np.meshgrid(low * CUTS, high * CUTS, indexing="ij")
    cost = cut_off[0][:, None] + cut_off[1] + rounding * ((highs - lows) / 255) ** 2
    best = np.argmin(cost)
    return whole_steps(float(lows.flat[best]), float(highs.flat[best]))


def _spread(graph, limits):
    """Ranges of groups as those of all their nodes."""
    groups, fixed = scale_groups(graph), {}
    for node in rounded_anew(graph):
        if node.kind == "softmax" or node.settings.get("function") in ("sigmoid", "softmax"):
            fixed[groups[node]] = SHARES
    limits = limits | fixed
    return {node: limits[groups[node]] for node in quantizable(graph)}


def _measured(
    graph: Graph, weights: Weights, crops: np.ndarray, nodes: list[Node], measure: Callable
) -> Iterator[list]:
    """`measure(node, tensor)` of these nodes for one batch of images after the other."""
    weights = tensors(weights)

    @tf.function(autograph=False, input_signature=[batches(graph)])
    def call(images):
        found = {}

        def mark(node, x):
            if node in wanted:
                found[node] = measure(node, x)
            return x

        wanted = set(nodes)
        compute(graph, images, weights, mark)
        return [found[node] for node in nodes]

    for images in _batched(crops, PIXELS):
        yield tf.nest.map_structure(np.asarray, call(images))


def _batched(crops, pixels):
    height, width = crops.shape[1:3]
    size = max(1, pixels // (height * width))
    for start in range(0, len(crops), size):
        yield tf.constant(crops[start : start + size])
