"""Rewrites that compute the same numbers in less time, up to float rounding.

`faster` rewrites for every target. `repeat_pixels` is for XNNPACK, which runs files on CPUs.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from hrnet_tf.convert.graph.nodes import Graph, Node
from hrnet_tf.convert.graph.shuffles import fold_shuffles

# Paddings with equal results: at stride 2 and even sizes, the last row and column are not read.
SAME_PADS = [((1, 1), (1, 1)), ((1, 0), (1, 0)), ((1, 1), (1, 0)), ((1, 0), (1, 1))]


def faster(graph: Graph, integers: bool = False) -> Graph:
    """All rewrites that help every target, for arithmetic of floats or integers; the same graph."""
    return separate_pads(fold_shuffles(sum_coarse_first(graph), integers))


def sum_coarse_first(graph: Graph) -> Graph:
    """Adds coarse streams before upsampling and removes doubled terms; returns the same graph.

    `a + up4(b) + up2(c)` becomes `a + up2(c + up2(b))`. The released Lite-HRNet sums
    `a + a + up2(b)`: the factor 2 moves into the kernel that computes `a`, or a factor 1/2 into the
    kernels of the other terms.
    """
    readers = graph.readers()
    for node in [*graph.nodes]:
        if not _is_sum(node) or (len(readers[node]) == 1 and _is_sum(readers[node][0])):
            continue
        terms = _terms(node, readers)
        double = next((term for term in terms if terms.count(term) == 2), None)
        factor = _single(terms, double, node, readers) if double is not None else 1
        coarse = _nested([t for t in terms if t.kind == "nearest" and len(readers[t]) == 1])
        if len(coarse) > 1 or (double is not None and terms.count(double) == 1):
            _sum_again(graph, node, terms, coarse, factor, readers[node])
    graph.prune()
    return graph


def _is_sum(node):
    shapes = {each.shape for each in (node, *node.inputs)}
    return node.kind == "add" and len(node.inputs) == 2 and len(shapes) == 1


def _terms(node, readers) -> list[Node]:
    terms = []
    for source in node.inputs:
        if _is_sum(source) and len(readers[source]) == 1:
            terms += _terms(source, readers)
        else:
            terms.append(source)
    return terms


def _single(terms, double, node, readers) -> int:
    """Removes a doubled term if kernels can compensate; returns the factor that the sum lacks."""
    if _kernels([double]) and len(readers[double]) == 2:
        _scale([double], 2)
        terms.remove(double)
        return 1
    others = [term for term in terms if term is not double]
    convolutions = [term.inputs[0] if term.kind == "nearest" else term for term in others]
    alone = all(len(readers[each]) == 1 for each in [*others, *convolutions])
    after = []
    for reader in readers[node]:
        if reader.kind == "pad":
            after += readers[reader]
        elif not _is_relu(reader):
            after.append(reader)
    if not (alone and _kernels(convolutions) and _kernels(after) and node not in after):
        return 1
    _scale(convolutions, 0.5)
    _scale(after, 2, ["kernel"])
    terms.remove(double)
    return 2


def _is_relu(node):
    return node.kind == "activation" and node.settings["function"] == "relu"


def _kernels(nodes):
    return all(node.kind in ("conv", "depthwise") for node in nodes)


def _scale(nodes, factor, names=("kernel", "bias")):
    """Multiplies weights by a power of two, which is exact."""
    for node in nodes:
        for name in {*names} & {*node.weights}:
            node.weights[name] = node.weights[name] * np.float32(factor)


def _nested(terms) -> list[Node]:
    """Upsampled terms, the coarsest first; empty unless each size is a multiple of the last."""
    terms = sorted(terms, key=lambda term: term.inputs[0].shape)
    sizes = [np.array(term.inputs[0].shape[:2]) for term in terms]
    return [] if any((b % a).any() or (a == b).all() for a, b in pairwise(sizes)) else terms


def _sum_again(graph, node, terms, coarse, factor, readers):
    total = None
    for term in coarse:
        (source,) = term.inputs
        if total is not None:
            total = Node("nearest", f"{term.name}.level", [total], source.shape)
            source = Node("add", f"{term.name}.sum", [source, total], source.shape)
        total = source
    if total is not None:
        total = Node("nearest", f"{node.name}.up", [total], node.shape)
    for number, term in enumerate(term for term in terms if term not in coarse):
        inputs = [term, total]
        total = Node("add", f"{node.name}.{number}", inputs, node.shape) if total else term
    # TFLite fuses the ReLU with this product. It cannot fuse a ReLU with a sum that has other
    # readers, and a ReLU of its own is slow in int8.
    twice = Node("multiply", f"{node.name}.twice", [total], node.shape, {"constant": np.float32(2)})
    for reader in readers:
        if factor == 2 and _is_relu(reader):
            reader.inputs = [twice]
    graph.replace(node, total)


def separate_pads(graph: Graph) -> Graph:
    """Pads one tensor differently for each strided convolution that reads it; the same graph.

    TFLite's converter merges equal PADs, and XNNPACK fuses no PAD that has two readers.
    """
    readers = graph.readers()
    for source in graph.nodes:
        for node, padding in zip(_strided_pads(source, readers), SAME_PADS, strict=False):
            node.settings = {"padding": padding}
            (top, bottom), (left, right) = padding
            height, width, channels = source.shape
            node.shape = (height + top + bottom, width + left + right, channels)
    return graph


def _strided_pads(source, readers) -> list[Node]:
    pads = []
    for node in readers[source]:
        strided = [
            each.kind in ("conv", "depthwise")
            and each.settings["strides"] == (2, 2)
            and each.settings["padding"] == "valid"
            and each.weights["kernel"].shape[:2] == (3, 3)
            for each in readers[node]
        ]
        if node.kind == "pad" and all(strided) and node.settings["padding"] == SAME_PADS[0]:
            pads.append(node)
    return [] if any(side % 2 for side in source.shape[:2]) else pads


def repeat_pixels(graph: Graph) -> Graph:
    """Writes nearest upsampling as concatenations, which XNNPACK runs; returns the same graph.

    XNNPACK leaves RESIZE_NEAREST_NEIGHBOR to a slower kernel of TFLite, which splits the graph.
    Other delegates and ONNX have the operation.
    """
    for node in graph.nodes:
        if node.kind == "nearest":
            node.settings = {**node.settings, "repeat": True}
    return graph
