"""Channels of a network brought to the same size, so that 8 bits suffice for all of them.

A channel that one layer makes s times as large and all its readers divide by s changes nothing of
what a ReLU network computes (Nagel et al., Data-Free Quantization, ICCV 2019; there for pairs of
layers). Here a channel is followed through sums, concatenations, slices and shuffles, so a whole
stream with its residual and fuse sums is scaled at once; the sizes are those of real activations.
"""

from collections.abc import Mapping

import numpy as np

from hrnet_tf.convert.compute import Weights
from hrnet_tf.convert.graph import Graph, Node
from hrnet_tf.convert.simulate import MOVES, scale_groups

FLOOR = 0.01  # of the largest channel: smaller ones grow at most a hundredfold

Extremes = Mapping[Node, tuple[np.ndarray, np.ndarray]]  # of each channel: lowest, highest


def channel_scales(graph: Graph, extremes: Extremes) -> dict[Node, np.ndarray]:
    """What to multiply the channels of each result with; 1 where they must keep their size.

    Args:
        graph: without normalizations.
        extremes: of `ranges.extremes`, for all results that are to be quantized.
    """
    labels, count, fixed = _labels(graph)
    groups = scale_groups(graph)
    top = {}
    for node, (low, high) in extremes.items():
        most = max(-low.min(), high.max(), 1e-12)
        top[groups[node]] = max(top.get(groups[node], 0.0), most)
    share = np.full(count, FLOOR)
    for node, (low, high) in extremes.items():
        if node.kind not in MOVES:
            relative = np.maximum(-low, high) / top[groups[node]]
            np.maximum.at(share, labels[node], relative)
    scales = np.where(fixed, 1.0, 1 / share)
    return {node: scales[each] for node, each in labels.items()}


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
    """For each node the numbers of its channels; how many there are; which must keep their size.

    Channels have the same number if they must be scaled alike.
    """
    numbers, parent, fixed = {}, [], []

    def fresh(node, keep=False):
        first = len(parent)
        parent.extend(range(first, first + node.shape[-1]))
        fixed.extend([keep] * node.shape[-1])
        return np.arange(first, first + node.shape[-1])

    def root(number):
        while parent[number] != number:
            parent[number] = parent[parent[number]]
            number = parent[number]
        return number

    for node in graph.nodes:
        sources = [numbers[source] for source in node.inputs]
        kept = [all(fixed[root(number)] for number in each) for each in sources]
        found = _carried(node, sources, kept)
        if found is None:
            free = node.kind in ("conv", "depthwise", "dense")
            free = free and node.settings.get("groups", 1) == 1
            if not free:
                for number in np.concatenate([[], *sources]).astype(int):
                    fixed[root(number)] = True
            found = fresh(node, not free)
        elif node.kind in ("add", "subtract"):
            for a, b in zip(*sources, strict=True):
                a, b = root(a), root(b)
                parent[a] = b
                fixed[b] |= fixed[a]
        numbers[node] = found
    for node in graph.results:
        for number in numbers[node]:
            fixed[root(number)] = True
    roots = np.array([root(number) for number in range(len(parent))])
    numbers = {node: roots[each] for node, each in numbers.items()}
    return numbers, len(parent), np.array(fixed)[roots]


def _carried(node, sources, kept):
    """The numbers of channels that pass through a node; None where new ones begin.

    `kept` tells of which sources all channels keep their size.
    """
    kind, settings = node.kind, node.settings
    last = len(node.shape)  # the axis of the channels, counted with the batch
    if kind in ("nearest", "resize", "corners", "average_pool", "pad", "mean"):
        return sources[0]
    if kind == "activation" and settings["function"] in ("relu", "linear"):
        return sources[0]
    if kind in ("add", "subtract") and len(sources) == 2:
        same = node.inputs[0].shape == node.inputs[1].shape
        return sources[0] if same else None
    if kind == "multiply" and any(kept) and len(sources) == 2:
        return sources[kept.index(True) - 1]  # the other one is a gate
    if kind == "reshape" and node.shape[-1] == len(sources[0]):
        return sources[0]
    if kind == "concat" and settings["axis"] in (-1, last):
        return np.concatenate(sources)
    if kind == "slice":
        if settings["axis"] != last:
            return sources[0]
        return sources[0][settings["start"] : settings["start"] + node.shape[-1]]
    if kind == "take":
        return sources[0][settings["indices"]] if settings["axis"] in (-1, last) else sources[0]
    return None
