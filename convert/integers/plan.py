"""How a network becomes integers of 8 bits."""

import numpy as np

from hrnet_tf.convert.examples import check_examples
from hrnet_tf.convert.graph.compute import own_weights
from hrnet_tf.convert.graph.nodes import Graph
from hrnet_tf.convert.integers import ranges as measuring
from hrnet_tf.convert.integers.equalize import centred, channel_scales, equalized
from hrnet_tf.convert.integers.precisions import PRECISIONS, Precision
from hrnet_tf.convert.integers.rounding import compensated
from hrnet_tf.convert.integers.simulate import Plan
from hrnet_tf.runtime.network import Arrays

MAX_RESCALE = 100  # input step * kernel step / result step stays below; XNNPACK accepts up to 256


def plan(graph: Graph, precision: str | Precision, examples: Arrays) -> Plan:
    """How a network becomes integers of 8 bits.

    Args:
        graph: after `fold_norms` and `merge_resizes`; it stays as it is.
        precision: a key of `PRECISIONS`, or one's own.
        examples: (N, ...) float32 for each input, as the network takes them.

    Raises:
        ValueError: no examples, examples of another size, or images of one colour.
    """
    precision = PRECISIONS[precision] if isinstance(precision, str) else precision
    check_examples(graph, examples)
    weights = own_weights(graph)
    found = measuring.extremes(graph, weights, examples)
    if precision.equalize:
        matter = measuring.importance(graph, weights, examples)
        weights, found = centred(graph, weights, found)
        scales = channel_scales(graph, found, matter)
        weights, found = equalized(graph, weights, scales), measuring.scaled(found, scales)
    limits = measuring.min_max(graph, found)
    weights = _limited(graph, weights, limits)
    if precision.correct:
        weights = compensated(graph, weights, examples)
    if precision.float_head:
        limits = {node: each for node, each in limits.items() if node not in graph.results}
    return Plan(graph, weights, limits)


def _limited(graph, weights, limits):
    """Weights whose kernels keep `MAX_RESCALE`.

    Larger numbers belong to inputs that are always rounded to 0, so clipping them changes nothing.
    """
    readers, changed = graph.readers(), dict(weights)
    for node, values in weights.items():
        result = node if node in limits else readers[node][0]  # the ReLU that it is fused with
        steps = [(limits[each][1] - limits[each][0]) / 255 for each in (node.inputs[0], result)]
        most = MAX_RESCALE * 127 * steps[1] / steps[0]
        if np.abs(values["kernel"]).max() > most:
            changed[node] = {**values, "kernel": np.clip(values["kernel"], -most, most)}
    return changed
