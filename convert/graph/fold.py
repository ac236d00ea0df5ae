"""Rewrites that every graph gets first: normalizations into kernels, resizes into one node."""

import numpy as np

from hrnet_tf.convert.graph.nodes import Graph, Node


def fold_norms(graph: Graph) -> Graph:
    """Multiplies each normalization into the convolution before it; returns the same graph.

    A normalization that follows no convolution, or one whose result others read too, becomes a
    depthwise convolution.
    """
    readers = graph.readers()
    for norm in [*graph.nodes]:
        if norm.kind != "norm":
            continue
        (source,) = norm.inputs
        scale, offset = norm.weights["scale"], norm.weights["offset"]
        if source.kind not in ("conv", "depthwise", "dense") or len(readers[source]) > 1:
            if len(norm.shape) == 3:
                norm.kind, norm.settings = "depthwise", {"strides": (1, 1), "padding": "valid"}
                norm.weights = {"kernel": scale[None, None, :, None], "bias": offset}
            else:
                _as_arithmetic(graph, norm)
            continue
        kernel, bias = source.weights["kernel"], source.weights.get("bias", np.float32(0))
        depthwise = source.kind == "depthwise"
        by_channel = scale.reshape(kernel.shape[2:]) if depthwise else scale
        source.weights = {"kernel": kernel * by_channel, "bias": bias * scale + offset}
        source.settings["norm"] = norm.name
        graph.replace(norm, source)
    graph.prune()
    return graph


def _as_arithmetic(graph, norm):
    """Makes a product and a sum of a normalization of numbers that are no image."""
    offset, settings = norm.weights["offset"], {"constant": norm.weights["scale"]}
    product = Node("multiply", f"{norm.name}.scale", norm.inputs, norm.shape, settings)
    total = Node("add", norm.name, [product], norm.shape, {"constant": offset})
    graph.nodes += [product, total]
    graph.replace(norm, total)


def fold_factors(graph: Graph) -> Graph:
    """Multiplies a dense layer of one number into the convolution before it; returns the graph.

    FCOS has such a layer for each level, between `expand_dims` and `squeeze`.
    """
    readers = graph.readers()
    for node in graph.nodes:
        if node.kind != "dense" or node.weights["kernel"].shape != (1, 1) or "bias" in node.weights:
            continue
        (expanded,), after = node.inputs, readers[node]
        if expanded.kind != "expand" or [each.kind for each in after] != ["reshape"]:
            continue
        (source,) = expanded.inputs
        if after[0].shape == source.shape and source.kind == "conv" and len(readers[source]) == 1:
            factor = node.weights["kernel"][0, 0]
            source.weights = {name: value * factor for name, value in source.weights.items()}
            graph.replace(after[0], source)
    graph.prune()
    return graph


def merge_resizes(graph: Graph) -> Graph:
    """Makes one "corners" node of what `blocks.align_corners` consists of; returns the same graph.

    Two gathers and a blend per axis are exactly TFLite's RESIZE_BILINEAR with align_corners.
    """
    readers = graph.readers()
    for node in [*graph.nodes]:
        rows = _blended(node, 1, readers)
        columns = rows and _blended(rows, 2, readers)
        if columns:
            corners = Node("corners", columns.name, [node], columns.shape)
            graph.nodes.append(corners)
            graph.replace(columns, corners)
    graph.prune()
    return graph


def _blended(node: Node, axis: int, readers) -> Node | None:
    """The sum at the end of one axis of an align-corners upsampling of `node`."""
    takes = [r for r in readers[node] if r.kind == "take" and r.settings["axis"] == axis]
    for low in takes:
        for difference in [r for r in readers[low] if r.kind == "subtract"]:
            high, length = difference.inputs[0], node.shape[axis - 1]
            product, *more = readers[difference]
            total, *others = readers[product]
            if more or others or product.kind != "multiply" or total.kind != "add":
                continue  # arithmetic of someone else
            new = total.shape[axis - 1]
            position = np.arange(new) * ((length - 1) / max(new - 1, 1))
            weight = np.ravel(product.settings.get("constant", ()))
            if (
                total.inputs[0] is low
                and high in takes
                and weight.shape == position.shape
                and np.allclose(low.settings["indices"] + weight, position, atol=1e-4)
            ):
                return total
    return None
