"""The range of each result of a network on real images: what the 256 integers must cover.

Images pass in small batches and only sums are kept, so memory grows with neither their number nor
the depth of the network.
"""

from collections.abc import Callable, Iterator

import numpy as np
import tensorflow as tf

from hrnet_tf.convert.compute import Weights, batches, compute, tensors
from hrnet_tf.convert.equalize import Extremes
from hrnet_tf.convert.graph import Graph, Node
from hrnet_tf.convert.simulate import MOVES, SHARES, Ranges, fused, scale_groups, whole_steps

PIXELS = 2**19  # of the images in one batch
BINS = 2048


def quantizable(graph: Graph) -> list[Node]:
    """The nodes whose results become integers; decoded keypoints stay float."""
    inside = fused(graph)
    return [node for node in graph.nodes if node not in inside and node.kind != "decode"]


def extremes(graph: Graph, weights: Weights, crops: np.ndarray) -> Extremes:
    """Lowest and highest value of each channel of each result that becomes integers.

    Args:
        graph: without normalizations.
        weights: of its nodes.
        crops: (N, H, W, 3) float32, as the network takes them.
    """

    def measure(x):
        axes = range(len(x.shape) - 1)
        return tf.reduce_min(x, axes), tf.reduce_max(x, axes)

    found = None
    nodes = quantizable(graph)
    for new in _measured(graph, weights, crops, nodes, lambda node, x: measure(x)):
        if found is not None:
            new = [
                (np.minimum(a, low), np.maximum(b, high))
                for (a, b), (low, high) in zip(found, new, strict=True)
            ]
        found = new
    return dict(zip(nodes, found, strict=True))


def scaled(found: Extremes, scales) -> Extremes:
    """The extremes of an equalized network."""
    return {node: (low * scales[node], high * scales[node]) for node, (low, high) in found.items()}


def min_max(graph: Graph, found: Extremes) -> Ranges:
    """Ranges that hold every value seen."""
    groups, limits = scale_groups(graph), {}
    for node, (low, high) in found.items():
        least, most = limits.get(groups[node], (0.0, 0.0))
        limits[groups[node]] = min(least, float(low.min())), max(most, float(high.max()))
    ranges = {node: whole_steps(*limits[groups[node]]) for node in found}
    return ranges | {node: SHARES for node in found if _share(node)}


def least_error(
    graph: Graph, weights: Weights, crops: np.ndarray, widest: Ranges, power: float = 2.0
) -> Ranges:
    """Ranges that lose least to rounding and clipping together, by histograms of all values.

    Args:
        graph: without normalizations.
        weights: of its nodes.
        crops: (N, H, W, 3) float32.
        widest: of `min_max`.
        power: of the error: 2 for its mean square.
    """
    groups = scale_groups(graph)
    # What is only moved has the values of where it came from.
    nodes = [node for node in widest if node.kind not in MOVES]

    def measure(node, x):
        return tf.histogram_fixed_width(x, tf.constant(widest[node]), BINS)

    counts = {}
    for histograms in _measured(graph, weights, crops, nodes, measure):
        for node, histogram in zip(nodes, histograms, strict=True):
            counts[groups[node]] = counts.get(groups[node], 0) + histogram.astype(np.float64)
    found = {group: _least(count, *widest[group], power) for group, count in counts.items()}
    ranges = {node: found.get(groups[node], widest[node]) for node in widest}
    return ranges | {node: SHARES for node in widest if _share(node)}


def _least(count, low, high, power):
    """The part of a range whose integers are nearest to the values of a histogram."""
    edges = np.linspace(low, high, BINS + 1)
    values = (edges[:-1] + edges[1:]) / 2
    values, count = values[count > 0], count[count > 0]
    shares = np.geomspace(0.05, 1, 24)
    best = (np.inf, None)
    for a in shares if low < 0 else [1.0]:
        for b in shares if high > 0 else [1.0]:
            limits = whole_steps(low * a, high * b)
            step = (limits[1] - limits[0]) / 255
            rounded = np.clip(np.rint(values / step) * step, *limits)
            error = (count * np.abs(rounded - values) ** power).sum()
            best = min(best, (error, limits))
    return best[1]


def _share(node):
    return node.kind == "softmax" or node.settings.get("function") in ("sigmoid", "softmax")


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

    height, width, _ = graph.nodes[0].shape
    size = max(1, PIXELS // (height * width))
    for start in range(0, len(crops), size):
        yield tf.nest.map_structure(np.asarray, call(tf.constant(crops[start : start + size])))
