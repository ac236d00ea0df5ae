"""Kernels rounded so that their errors cancel.

Rounding each number to the nearest integer leaves errors that add up wherever inputs move together,
as neighbouring pixels and channels do. Here the numbers of a kernel are rounded one after the
other. Each makes up for the errors of those before it, as far as their inputs move together on the
examples (Frantar et al., GPTQ, ICLR 2023; written here as Babai's nearest plane). The mean error
that is left is subtracted from the bias (Nagel et al., Data-Free Quantization, ICCV 2019).

Crops at the picture's edge contain constant padding. Networks react to that constant; rounding
errors there shifted predicted poses, so an image of nothing but padding weighs 0.8.
"""

import numpy as np
import tensorflow as tf

from hrnet_tf.convert.examples import batch_size, count, part
from hrnet_tf.convert.graph.compute import Weights, compute
from hrnet_tf.convert.graph.nodes import Graph, Node
from hrnet_tf.convert.integers.simulate import LEAST
from hrnet_tf.runtime.network import Arrays

PIXELS = 2**20  # of all images together: 21 of 256x192
PATCHES = 2**12  # of a layer's input, chosen by chance
PADDING = 0.8  # weight of the image of padding; all examples together weigh 1 - 0.8
DAMPING = 0.01  # noise added to inputs, as a share of their mean power: bounds the compensation
MOST_INPUTS = 8192  # of a kernel: their covariance takes 0.5 GB, and its factor as much again
BLOCK = 64  # numbers whose errors are passed on together, for speed alone


def compensated(graph: Graph, weights: Weights, examples: Arrays) -> Weights:
    """Weights with kernels of whole steps; the largest number of an output channel is 127 steps.

    Each layer is rounded for the exact results of the layers before it. So it does not learn their
    errors, nor the large ones that an ambiguous image has. A kernel that several nodes share is
    rounded for the first of them, so that the file holds it once; biases are each node's own.
    Numbers of a kernel with more than 8192 inputs, such as the first of a detector's box head, are
    each rounded to the nearest.

    Args:
        graph: without normalizations.
        weights: of its nodes.
        examples: (N, ...) float32 for each input, as the network takes them.
    """
    arrays, share = _weighted(graph, examples)
    readers, shared, changed = graph.readers(), graph.shared(), {}

    def mark(node, x):
        for reader in readers[node]:
            if reader in weights and reader not in changed:
                known = changed.get(shared.get(reader), {}).get("kernel")
                changed[reader] = _compensated(reader, weights[reader], x, share, known)
        return x

    tensors = {name: tf.constant(each) for name, each in arrays.items()}
    compute(graph, tensors, weights, mark)
    return changed


def _weighted(graph, examples):
    """The examples to round for, one of padding included, and the weight of each."""
    colours = {name: _padding(examples[name]) for name in graph.images}
    colours = {name: colour for name, colour in colours.items() if colour is not None}
    arrays = part(examples, 0, batch_size(graph, PIXELS))
    number = count(arrays)
    share = np.full(number, 1 / number, np.float32)
    if not colours:
        return arrays, share
    # Where other inputs vary, padding is seen together with each of their values.
    copies = 1 if len(colours) == len(arrays) else number
    for name, each in arrays.items():
        padding = np.broadcast_to(colours.get(name, each[:copies]), each[:copies].shape)
        arrays[name] = np.concatenate([each, padding])
    weight = np.full(copies, PADDING / copies, np.float32)
    return arrays, np.append(share * (1 - PADDING), weight)


def _padding(images):
    """The colour that fills whole edges of images, if no pixel is darker; None if none does."""
    dark = images.min((0, 1, 2))
    edges = images[:, 0], images[:, -1], images[:, :, 0], images[:, :, -1]
    return dark if any((each == dark).all((1, 2)).any() for each in edges) else None


def _compensated(node, weights, x, share, known=None):
    """The rounded weights of one node that takes x (B, ...); `share` (B,) weighs the examples.

    `known` is the rounded kernel if another node has the same.
    """
    kernel = weights["kernel"]
    size, inputs, groups = _layout(node)
    # (groups, K, outputs of a group)
    rows = kernel.reshape(size, inputs, groups, -1).transpose(2, 0, 1, 3)
    turned, rows = rows.shape, rows.reshape(groups, size * inputs, -1)
    patches = _patches(node, x)
    count = patches.shape[1] // len(share)
    share = np.repeat(share / count, count)[:, None]
    mean = (patches * share).sum(1, keepdims=True)
    if known is None and rows.shape[1] > MOST_INPUTS:
        step = np.maximum(np.abs(rows).max(1, keepdims=True), LEAST) / 127
        rounded = np.rint(rows / step) * step
        known = rounded.reshape(turned).transpose(1, 2, 0, 3).reshape(kernel.shape)
    elif known is None:
        moves = patches - mean
        moments = (np.swapaxes(moves * share, 1, 2) @ moves).astype(np.float64)
        del patches, moves  # hundreds of MB in wide layers, and what follows takes as much
        rounded = round_in_turn(moments, rows)
        known = rounded.reshape(turned).transpose(1, 2, 0, 3).reshape(kernel.shape)
    else:
        rounded = known.reshape(size, inputs, groups, -1).transpose(2, 0, 1, 3).reshape(rows.shape)
    shift = mean @ (rounded - rows)
    return {
        "kernel": known,
        "bias": (weights.get("bias", 0) - shift.ravel()).astype(np.float32),
    }


def round_in_turn(moments: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Kernels of whole steps whose errors cancel; the largest number of each output is kept.

    Args:
        moments: (groups, K, K) float64, covariance of the inputs; its diagonal is changed.
        rows: (groups, K, outputs), float32.
    """
    most = np.abs(rows).max(1, keepdims=True)
    step, kept = np.maximum(most, LEAST) / 127, np.abs(rows) == most
    count = rows.shape[1]
    diagonal = np.arange(count)
    power = moments.trace(axis1=1, axis2=2)[:, None] / count
    moments[:, diagonal, diagonal] += DAMPING * power + 1e-30
    lower = np.linalg.cholesky(moments)
    lower /= lower[:, diagonal, diagonal][:, None]
    # Row i: how inputs behind i move with it, so how far their errors must be made up for.
    share = lower.swapaxes(1, 2).astype(np.float32)
    errors = np.zeros_like(rows)
    for end in range(count, 0, -BLOCK):
        start = max(0, end - BLOCK)
        later = share[:, start:end, end:] @ errors[:, end:]
        for i in reversed(range(start, end)):
            block = share[:, i, None, i + 1 : end] @ errors[:, i + 1 : end]
            wanted = rows[:, i] + later[:, i - start] + block[:, 0]
            found = np.clip(np.rint(wanted / step[:, 0]), -127, 127) * step[:, 0]
            errors[:, i] = np.where(kept[:, i], 0, rows[:, i] - found)
    return rows - errors


def _layout(node):
    """Pixels of a kernel, its inputs per group, and groups."""
    kernel = node.weights["kernel"]
    if node.kind == "depthwise":
        return kernel.shape[0] * kernel.shape[1], 1, kernel.shape[2]
    size = int(np.prod(kernel.shape[:-2]))
    return size, kernel.shape[-2], node.settings.get("groups", 1)


def _patches(node: Node, x: tf.Tensor) -> np.ndarray:
    """The inputs of a node's kernel at some pixels, the same pixels in all examples."""
    size, inputs, groups = _layout(node)
    if node.kind != "dense":
        x = _around(node, x)
    patches = tf.reshape(x, (-1, size, groups, inputs))
    return tf.reshape(tf.transpose(patches, (2, 0, 1, 3)), (groups, -1, size * inputs)).numpy()


def _around(node, x):
    """(B, P, size of the kernel, C): the surroundings of P pixels of the result."""
    settings, images = node.settings, len(x)
    kernel, strides = np.array(node.weights["kernel"].shape[:2]), np.array(settings["strides"])
    dilation, result = np.array(settings.get("dilation", (1, 1))), np.array(node.shape[:2])
    if settings["padding"] == "same":
        reach = (result - 1) * strides + (kernel - 1) * dilation + 1
        more = np.maximum(reach - x.shape[1:3], 0)
        x = tf.pad(x, ((0, 0), *((each // 2, each - each // 2) for each in more), (0, 0)))
    chosen = np.random.default_rng(0).permutation(result.prod())[: max(1, PATCHES // images)]
    corners = np.stack(np.unravel_index(chosen, result), -1) * strides
    inside = np.stack(np.unravel_index(np.arange(kernel.prod()), kernel), -1) * dilation
    rows, columns = np.moveaxis(corners[:, None] + inside, -1, 0)
    flat = tf.reshape(x, (images, -1, x.shape[3]))
    return tf.gather(flat, rows * x.shape[2] + columns, axis=1)
