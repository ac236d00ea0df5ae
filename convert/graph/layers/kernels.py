"""Layers with kernels: convolutions of all kinds, and dense layers.

Each function is a `table.Known.read`, or makes one.
"""

import numpy as np

from hrnet_tf.convert.graph.layers.activations import ACTIVATIONS, activated
from hrnet_tf.convert.graph.layers.fallback import weights_of
from hrnet_tf.convert.graph.layers.shapes import part_of
from hrnet_tf.convert.graph.nodes import Node


def conv(layer, sources, shape):
    settings = {
        "strides": tuple(layer.strides),
        "padding": layer.padding,
        "dilation": tuple(layer.dilation_rate),
        "groups": layer.groups,
    }
    node = Node("conv", layer.name, [*sources], shape, settings, weights_of(layer))
    return activated(node, layer.activation)


def depthwise(layer, sources, shape):
    settings = {
        "strides": tuple(layer.strides),
        "padding": layer.padding,
        "dilation": tuple(layer.dilation_rate),
    }
    node = Node("depthwise", layer.name, [*sources], shape, settings, weights_of(layer))
    return activated(node, layer.activation)


def separable(layer, sources, shape):
    """A depthwise convolution and a pointwise one."""
    weights = weights_of(layer)
    settings = {
        "strides": tuple(layer.strides),
        "padding": layer.padding,
        "dilation": tuple(layer.dilation_rate),
    }
    first, second = weights["depthwise_kernel"], weights["pointwise_kernel"]
    between = (*shape[:2], second.shape[2])
    name = f"{layer.name}.depthwise"
    node = Node("depthwise", name, [*sources], between, settings, {"kernel": first})
    settings = {"strides": (1, 1), "padding": "valid", "dilation": (1, 1), "groups": 1}
    weights = {"kernel": second} | {name: weights[name] for name in ("bias",) if name in weights}
    return activated(Node("conv", layer.name, [node], shape, settings, weights), layer.activation)


def dense(layer, sources, shape):
    node = Node("dense", layer.name, [*sources], shape, {}, weights_of(layer))
    return activated(node, layer.activation)


def transposed(layer, sources, shape):
    """A convolution to all pixels of a tile, a node that puts tiles side by side, and a crop.

    Of a kernel of k rows at stride s, each row of tiles reads ceil(k / s) rows of the input. TFLite
    has TRANSPOSE_CONV, but its converter makes a bias of a single number of any constant that is
    added to the result, and XNNPACK reads numbers behind it.
    """
    (source,), strides, rates = sources, tuple(layer.strides), tuple(layer.dilation_rate)
    if strides != (1, 1) and rates != (1, 1):
        return None
    size, name, filters = tuple(layer.kernel_size), layer.name, shape[2]
    reach = [-(-k // s) for k, s in zip(size, strides, strict=True)]
    edges = [(n - 1) * rate for n, rate in zip(reach, rates, strict=True)]
    tiled = [(n + edge) * s for n, edge, s in zip(source.shape, edges, strides, strict=False)]
    if any(have < wanted for have, wanted in zip(tiled, shape, strict=False)):
        return None
    values, tile = weights_of(layer), strides[0] * strides[1]
    weights = {"kernel": _tile_kernel(values["kernel"], reach, strides)}
    if "bias" in values:
        weights["bias"] = np.tile(values["bias"], tile)
    node = source
    if any(edges):
        padded = (*(n + 2 * e for n, e in zip(node.shape, edges, strict=False)), node.shape[2])
        padding = tuple((edge, edge) for edge in edges)
        node = Node("pad", f"{name}.pad", [node], padded, {"padding": padding})
    settings = {"strides": (1, 1), "padding": "valid", "dilation": rates, "groups": 1}
    inner = (*(n // s for n, s in zip(tiled, strides, strict=True)), tile * filters)
    node = Node("conv", f"{name}.tiles", [node], inner, settings, weights)
    if ACTIVATIONS.get(layer.activation) not in (None, "softmax"):  # number by number
        node = activated(node, layer.activation)
    if tile > 1:
        node = Node("tile", name, [node], (*tiled, filters), {"tile": strides})
    for axis, (k, s) in enumerate(zip(size, strides, strict=True), 1):
        full = (source.shape[axis - 1] - 1) * s + (k - 1) * rates[axis - 1] + 1
        start = max(full - shape[axis - 1], 0) // 2 if layer.padding == "same" else 0
        if node.shape[axis - 1] > shape[axis - 1]:
            crop = f"{name}.{'rows' if axis == 1 else 'columns'}"
            node = part_of(crop, node, axis, start, start + shape[axis - 1])
    if ACTIVATIONS.get(layer.activation) in (None, "softmax"):
        node = activated(node, layer.activation)
    return node


def _tile_kernel(kernel, reach, strides):
    """A kernel (rows, columns, filters, channels) as one whose results are the pixels of a tile."""
    missing = [(0, n * s - k) for n, s, k in zip(reach, strides, kernel.shape, strict=False)]
    kernel = np.pad(kernel, (*missing, (0, 0), (0, 0)))
    (rows, columns), (above, beside), (filters, channels) = reach, strides, kernel.shape[2:]
    kernel = kernel.reshape(rows, above, columns, beside, filters, channels)[::-1, :, ::-1]
    kernel = kernel.transpose(0, 2, 5, 1, 3, 4)
    return np.ascontiguousarray(kernel.reshape(rows, columns, channels, -1))
