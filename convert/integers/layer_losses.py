"""How much error each layer adds when a network becomes integers."""

import dataclasses

import numpy as np
import tensorflow as tf

from hrnet_tf.convert.examples import batched, part
from hrnet_tf.convert.graph.compute import apply, specs, tensors
from hrnet_tf.convert.graph.nodes import Graph
from hrnet_tf.convert.integers.plan import plan
from hrnet_tf.convert.integers.precisions import Precision
from hrnet_tf.convert.integers.simulate import MOVES, rounded
from hrnet_tf.runtime.network import Arrays

MEASURED = 32  # examples


@dataclasses.dataclass(frozen=True)
class Loss:
    """Signal to noise of one layer's result after quantization, in decibels: higher is better.

    Attributes:
        name: of the layer.
        kind: of its node.
        own: if the weights and result of this layer alone were integers.
        total: if those of all layers before it were integers too.
    """

    name: str
    kind: str
    own: float
    total: float


def losses(graph: Graph, precision: str | Precision, examples: Arrays) -> list[Loss]:
    """The loss of each layer in a simulation of an int8 file, the worst by its own first.

    Args:
        graph: after `fold_norms` and `merge_resizes`.
        precision: an int8 one of `PRECISIONS`, or one's own.
        examples: (N, ...) float32 for each input: ranges are measured on all, losses on the first
            32.
    """
    found = plan(graph, precision, examples)
    moved = [node for node in graph.nodes if node.kind not in MOVES]
    exact_weights = tensors(found.weights)
    int8_weights = rounded(exact_weights)

    @tf.function(autograph=False, input_signature=[specs(graph)])
    def powers(arrays):
        exact, all_rounded, sums = {}, {}, []
        for node in graph.nodes:
            weights = int8_weights.get(node)
            before = [exact[source] for source in node.inputs]
            noisy = [all_rounded[source] for source in node.inputs]
            x = apply(node, exact_weights.get(node), before) if before else arrays[node.name]
            alone = found.mark(node, apply(node, weights, before) if before else x)
            all_rounded[node] = found.mark(node, apply(node, weights, noisy)) if before else alone
            exact[node] = x
            if node in moved:
                errors = (x, alone - x, all_rounded[node] - x)
                sums.append([tf.reduce_sum(tf.square(each)) for each in errors])
        return tf.stack(sums)

    total = 0.0
    for each in batched(part(examples, 0, MEASURED), 1):
        found = powers({name: tf.constant(x) for name, x in each.items()})
        total = total + found.numpy().astype(np.float64)
    signal, own, whole = total.T
    rows = zip(moved, _decibels(signal, own), _decibels(signal, whole), strict=True)
    rows = (Loss(node.name, node.kind, float(a), float(b)) for node, a, b in rows)
    return sorted((row for row in rows if np.isfinite(row.own)), key=lambda row: row.own)


def _decibels(signal, noise):
    return 10 * np.log10(
        np.divide(signal, noise, out=np.full_like(signal, np.inf), where=noise > 0)
    )
