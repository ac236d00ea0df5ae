"""What each layer loses when a network becomes integers."""

import dataclasses

import numpy as np
import tensorflow as tf

from hrnet_tf.convert.graph.compute import (
    apply,
    batches,
    tensors,
)
from hrnet_tf.convert.graph.nodes import Graph
from hrnet_tf.convert.integers.plan import plan
from hrnet_tf.convert.integers.precisions import Precision
from hrnet_tf.convert.integers.simulate import MOVES, rounded


@dataclasses.dataclass(frozen=True)
class Loss:
    """What quantization costs one layer, in decibels of signal to noise: higher is better.

    Attributes:
        name: of the layer.
        kind: of its node.
        own: if weights and result of this layer alone were integers.
        total: with all layers before it.
    """

    name: str
    kind: str
    own: float
    total: float


def losses(graph: Graph, precision: str | Precision, crops: np.ndarray) -> list[Loss]:
    """What each layer loses in a simulation of an int8 file, the worst of its own first.

    Args:
        graph: after `fold_norms` and `merge_resizes`.
        precision: an int8 one of `PRECISIONS`, or one's own.
        crops: (N, H, W, 3) float32: ranges are measured on all, losses on the first 32.
    """
    found = plan(graph, precision, crops)
    moved = [node for node in graph.nodes if node.kind not in MOVES]
    exact_weights = tensors(found.weights)
    int8_weights = rounded(exact_weights)

    @tf.function(autograph=False, input_signature=[batches(graph)])
    def powers(images):
        exact, all_rounded, sums = {}, {}, []
        for node in graph.nodes:
            weights = int8_weights.get(node)
            before = [exact[source] for source in node.inputs]
            noisy = [all_rounded[source] for source in node.inputs]
            x = apply(node, exact_weights.get(node), before) if before else images
            alone = found.mark(node, apply(node, weights, before) if before else x)
            all_rounded[node] = found.mark(node, apply(node, weights, noisy)) if before else alone
            exact[node] = x
            if node in moved:
                errors = (x, alone - x, all_rounded[node] - x)
                sums.append([tf.reduce_sum(tf.square(each)) for each in errors])
        return tf.stack(sums)

    total = sum(powers(tf.constant(crop[None])).numpy().astype(np.float64) for crop in crops[:32])
    signal, own, whole = total.T
    rows = zip(moved, _decibels(signal, own), _decibels(signal, whole), strict=True)
    rows = (Loss(node.name, node.kind, float(a), float(b)) for node, a, b in rows)
    return sorted((row for row in rows if np.isfinite(row.own)), key=lambda row: row.own)


def _decibels(signal, noise):
    return 10 * np.log10(
        np.divide(signal, noise, out=np.full_like(signal, np.inf), where=noise > 0)
    )
