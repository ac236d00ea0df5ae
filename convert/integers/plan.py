"""How a network becomes integers of 8 bits."""

import numpy as np

from hrnet_tf.convert.graph.compute import own_weights
from hrnet_tf.convert.graph.nodes import Graph
from hrnet_tf.convert.integers import ranges as measuring
from hrnet_tf.convert.integers.equalize import centred, channel_scales, equalized
from hrnet_tf.convert.integers.precisions import PRECISIONS, Precision
from hrnet_tf.convert.integers.rounding import compensated
from hrnet_tf.convert.integers.simulate import Plan

FACTOR = 100  # at most, between the integers of a sum of products and those of its result


def plan(graph: Graph, precision: str | Precision, crops: np.ndarray) -> Plan:
    """How a network becomes integers of 8 bits.

    Args:
        graph: after `fold_norms` and `merge_resizes`; it stays as it is.
        precision: a key of `PRECISIONS`, or one's own.
        crops: (N, H, W, 3) float32, as the network takes them.

    Raises:
        ValueError: no crops, crops of another size, or crops that tell nothing.
    """
    precision = PRECISIONS[precision] if isinstance(precision, str) else precision
    check_crops(graph, crops)
    weights = own_weights(graph)
    found = measuring.extremes(graph, weights, crops)
    matter = None
    if precision.equalize or precision.clip:
        matter = measuring.importance(graph, weights, crops)
    if precision.equalize:
        weights, found = centred(graph, weights, found)
        scales = channel_scales(graph, found, matter)
        weights, found = equalized(graph, weights, scales), measuring.scaled(found, scales)
        matter = {node: each / scales[node] ** 2 for node, each in matter.items()}
    limits = measuring.min_max(graph, found)
    if precision.clip:
        limits = measuring.clipped(graph, weights, crops, limits, matter)
    weights = _limited(graph, weights, limits)
    if precision.correct:
        weights = compensated(graph, weights, crops)
    if precision.float_head:
        limits = {node: each for node, each in limits.items() if node not in graph.results}
    return Plan(graph, weights, limits)


def _limited(graph, weights, limits):
    """Kernels that no input can use clipped: XNNPACK takes factors between integers up to 256.

    Only inputs that are always rounded to 0 have larger ones.
    """
    readers, changed = graph.readers(), dict(weights)
    for node, values in weights.items():
        result = node if node in limits else readers[node][0]  # what it is fused with
        steps = [(limits[each][1] - limits[each][0]) / 255 for each in (node.inputs[0], result)]
        most = FACTOR * 127 * steps[1] / steps[0]
        if np.abs(values["kernel"]).max() > most:
            changed[node] = {**values, "kernel": np.clip(values["kernel"], -most, most)}
    return changed


def check_crops(graph: Graph, crops: np.ndarray | None) -> None:
    """Raises ValueError unless crops can tell ranges."""
    shape = graph.nodes[0].shape
    if crops is None or not len(crops) or crops.shape[1:] != shape:
        raise ValueError(
            f"`crops` must be float32 (N, {', '.join(map(str, shape))}), N above 0, to measure the "
            f"ranges on. Received: {None if crops is None else crops.shape}. "
            "hrnet_tf.convert.calibration makes them of photos."
        )
    if not np.isfinite(crops).all() or (crops == crops[:1, :1, :1]).all():
        raise ValueError(
            "`crops` must be finite, and not all of one colour, to measure ranges on. "
            f"Received: {crops.min()} to {crops.max()}. Give real photos."
        )
