"""Channels of a network brought to the same size, so that 8 bits suffice for all of them.

If one layer multiplies a channel by s and all its readers divide it by s, a ReLU network computes
the same (Nagel et al., Data-Free Quantization, ICCV 2019; there for pairs of layers). Here a
channel is followed through sums, concatenations, slices and shuffles, so a whole stream with its
residual and fuse sums is scaled at once. Sizes of channels are measured on examples, and gradients
tell which channels matter to the outputs. Channels that only pointwise convolutions read are
centred as well.
"""

from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from hrnet_tf.convert.graph.compute import Weights
from hrnet_tf.convert.graph.nodes import Graph, Node
from hrnet_tf.convert.integers.simulate import scale_groups

FLOOR = 0.01  # share of the largest channel; smaller channels start with a factor of 100 at most
TINY = 1e-6  # size that channels which are always zero count with
STEPS = 1000
# Least factor of a channel, relative to its start, as a logarithm: smaller factors give kernels
# beyond the rescaling of 256 that XNNPACK accepts.
SHRINK = np.log(32)

Extremes = Mapping[Node, tuple[np.ndarray, np.ndarray]]  # of each channel: lowest, highest


def centred(
    graph: Graph, weights: Weights, extremes: Extremes
) -> tuple[Weights, dict[Node, tuple[np.ndarray, np.ndarray]]]:
    """Weights that compute the same with depthwise results centred on 0, and their extremes.

    No ReLU lies between a depthwise and a pointwise convolution, so the second bias can subtract
    what the first one adds. Centred channels with long tails on different sides fill a common range
    better.

    Args:
        graph: without normalizations.
        weights: of its nodes.
        extremes: of `ranges.extremes`.
    """
    readers, weights, extremes = graph.readers(), dict(weights), dict(extremes)
    for node, (low, high) in extremes.items():
        if node.kind != "depthwise" or node in graph.results:
            continue
        if not all(map(_pointwise, readers[node])):
            continue
        middle = (low + high) / 2
        _add_bias(weights, node, -middle)
        extremes[node] = low - middle, high - middle
        for reader in readers[node]:
            _add_bias(weights, reader, middle @ weights[reader]["kernel"][0, 0])
    return weights, extremes


def _pointwise(node):
    if node.kind != "conv" or node.settings.get("groups", 1) != 1:
        return False
    return node.weights["kernel"].shape[:2] == (1, 1)


def _add_bias(weights, node, shift):
    bias = weights[node].get("bias", 0) + shift
    weights[node] = {**weights[node], "bias": bias.astype(np.float32)}


def channel_scales(
    graph: Graph, extremes: Extremes, matter: Mapping[Node, np.ndarray]
) -> dict[Node, np.ndarray]:
    """Factors for the channels of each result; 1 where channels must keep their size.

    They minimize the noise in the outputs. The largest channel of a result dictates the steps that
    all its channels are rounded in, and noise in a channel with factor s counts s times less. As a
    function of the factors' logarithms the sum is convex, so gradient descent finds its minimum.

    Args:
        graph: without normalizations.
        extremes: of `ranges.extremes`.
        matter: of `ranges.importance`.
    """
    labels, count, fixed = _labels(graph)
    groups, nodes = scale_groups(graph), [*extremes]
    numbers = {group: i for i, group in enumerate(dict.fromkeys(groups[n] for n in nodes))}
    label = np.concatenate([labels[node] for node in nodes])
    group = np.concatenate([np.full(len(labels[n]), numbers[groups[n]]) for n in nodes])
    low, high = (
        np.log(np.maximum(np.concatenate(each), TINY)).astype(np.float32)
        for each in zip(*((-low, high) for low, high in extremes.values()), strict=True)
    )
    weight = np.concatenate([matter[node] for node in nodes]).astype(np.float32)
    start = np.where(fixed, 0, _even(label, group, np.maximum(low, high), count))
    logs = tf.Variable(start.astype(np.float32))
    least = tf.constant(np.where(fixed, 0, start - SHRINK), tf.float32)
    free = tf.constant(~fixed, tf.float32)

    @tf.function(autograph=False)
    def noise():
        scale = tf.gather(tf.maximum(logs, least) * free, label)
        ends = [
            tf.math.unsorted_segment_max(scale + each, group, len(numbers)) for each in (low, high)
        ]
        step = tf.exp(ends[0]) + tf.exp(ends[1])
        return tf.reduce_sum(weight * tf.exp(-2 * scale) * tf.gather(step * step, group))

    _minimize(noise, logs)
    scales = np.exp(np.where(fixed, 0, np.maximum(logs, least)))
    return {node: scales[each] for node, each in labels.items()}


def _even(label, group, size, count):
    """Logarithms to start from: each channel as large as the largest of all its results."""
    top = np.full(group.max() + 1, -np.inf)
    np.maximum.at(top, group, size)
    share = np.full(count, np.log(FLOOR))
    np.maximum.at(share, label, size - top[group])
    return -share


def _minimize(function, variable):
    """Adam on the function's logarithm, so that its scale does not matter; steps shrink to 0."""
    mean, square = (tf.Variable(tf.zeros_like(variable)) for _ in range(2))

    @tf.function(autograph=False)
    def step(count, rate):
        with tf.GradientTape() as tape:
            value = tf.math.log(function() + 1e-30)
        gradient = tf.convert_to_tensor(tape.gradient(value, variable))
        mean.assign(0.9 * mean + 0.1 * gradient)
        square.assign(0.999 * square + 0.001 * gradient**2)
        size = tf.sqrt(square / (1 - 0.999**count)) + 1e-12
        variable.assign_sub(rate * mean / (1 - 0.9**count) / size)

    for i in range(STEPS):
        step(tf.constant(i + 1.0), tf.constant(0.05 * (1 - i / STEPS)))


def equalized(graph: Graph, weights: Weights, scales: Mapping[Node, np.ndarray]) -> Weights:
    """Weights that give the same outputs through results multiplied with `scales`."""
    changed = {}
    for node, values in weights.items():
        (source,) = node.inputs
        kernel, bias = values["kernel"], values.get("bias")
        before, after = scales[source], scales[node]
        if node.kind == "depthwise":
            kernel = kernel * (after / np.repeat(before, kernel.shape[3])).reshape(kernel.shape[2:])
        elif kernel.shape[-2] == len(before):
            kernel = kernel / before[:, None] * after
        changed[node] = {"kernel": kernel.astype(np.float32)}
        if bias is not None:
            changed[node]["bias"] = (bias * after).astype(np.float32)
    return changed


def _labels(graph):
    """For each node the numbers of its channels; how many numbers there are; which are fixed.

    Channels with the same number share a factor; fixed ones have the factor 1. The array of numbers
    has as many axes as the channels: two inside a shuffle.
    """
    numbers, parent, fixed = {}, [], []

    def fresh(node, keep=False):
        first = len(parent)
        parent.extend(range(first, first + node.channels))
        fixed.extend([keep] * node.channels)
        return np.arange(first, first + node.channels)

    def root(number):
        while parent[number] != number:
            parent[number] = parent[parent[number]]
            number = parent[number]
        return number

    for node in graph.nodes:
        sources = [numbers[source] for source in node.inputs]
        kept = [all(fixed[root(number)] for number in each.ravel()) for each in sources]
        found = _carried(node, sources, kept)
        if found is None:
            free = node.kind in ("conv", "depthwise", "dense")
            free = free and node.settings.get("groups", 1) == 1
            if not free:
                for each in sources:
                    for number in each.ravel():
                        fixed[root(number)] = True
            found = fresh(node, not free)
        elif node.kind in ("add", "subtract"):
            for a, b in zip(*sources, strict=True):
                a, b = root(a), root(b)
                parent[a] = b
                fixed[b] |= fixed[a]
        numbers[node] = found
    shared = graph.shared()
    kept = {*shared, *shared.values()}  # calls of one layer keep one kernel
    kept |= {source for node in kept for source in node.inputs} | {*graph.results}
    for node in kept:
        for number in numbers[node].ravel():
            fixed[root(number)] = True
    roots = np.array([root(number) for number in range(len(parent))])
    numbers = {node: roots[each] for node, each in numbers.items()}
    return numbers, len(parent), np.array(fixed)[roots]


def _carried(node, sources, kept):
    """The numbers of channels that pass through a node; None where new channels begin.

    `kept` tells for each source whether all its channels are fixed.
    """
    kind, settings = node.kind, node.settings
    last = len(node.shape)  # the axis of the channels, counted with the batch
    if kind not in ("reshape", "permute") and any(each.ndim > 1 for each in sources):
        return None
    if kind in ("nearest", "resize", "corners", "average_pool", "max_pool", "pad", "mean"):
        return sources[0]
    if kind == "activation" and settings["function"] in ("relu", "linear"):
        return sources[0]
    if kind in ("add", "subtract") and len(sources) == 2:
        same = node.inputs[0].shape == node.inputs[1].shape
        return sources[0] if same else None
    if kind == "multiply" and len(sources) == 1:  # with a constant
        return sources[0] if node.inputs[0].channels == node.channels else None
    if kind == "multiply" and any(kept):
        number = kept.index(True) - 1  # of the factor that is not the gate
        return sources[number] if node.inputs[number].shape[-1] == node.shape[-1] else None
    if kind == "permute" and settings["axes"][:2] == (1, 2) and len(settings["axes"]) > 2:
        return sources[0].transpose([axis - 3 for axis in settings["axes"][2:]])
    if kind == "reshape":
        return _reshaped(node, sources[0])
    if kind == "concat" and settings["axis"] in (-1, last):
        return np.concatenate(sources)
    if kind == "slice":
        if settings["axis"] != last:
            return sources[0]
        return sources[0][settings["start"] : settings["start"] + node.shape[-1]]
    if kind == "take":
        return sources[0][settings["indices"]] if settings["axis"] in (-1, last) else sources[0]
    return None


def _reshaped(node, source):
    """The numbers of channels in groups, as inside a shuffle, or back in a row."""
    before, after = node.inputs[0].shape or (1,), node.shape or (1,)
    if min(len(before), len(after)) > 2 and before[:2] == after[:2]:
        return source.reshape(after[2:])
    return source if before[-1] == after[-1] and source.ndim == 1 else None
