"""Kernels rounded so that their errors cancel.

The nearest integers leave errors that add up wherever inputs move together, and neighbouring pixels
and channels do. Here the numbers of a kernel are rounded one after the other, and each makes up for
the errors of those before as far as their inputs move alike on real images (Frantar et al., GPTQ,
ICLR 2023; as here written, Babai's nearest plane). The mean that is left goes into the bias (Nagel
et al., Data-Free Quantization, ICCV 2019).

Crops of people are padded where they leave their photo, and networks learn to tell padding by its
exact values: there an error of a hundredth, the same in every pixel, may move a whole person. So
what an image of nothing but padding gives is kept best.
"""

import numpy as np
import tensorflow as tf

from hrnet_tf.convert.graph.compute import Weights, compute
from hrnet_tf.convert.graph.nodes import Graph, Node
from hrnet_tf.convert.integers.simulate import LEAST

PIXELS = 2**20  # of all images: 21 of 256x192
PATCHES = 2**12  # of a layer's input, chosen by chance
PADDING = 0.8  # weight of an image of padding, that of all crops being 1 - 0.8
DAMPING = 0.01  # of the mean power of inputs: noise that keeps what hardly moves from large errors
BLOCK = 64  # numbers whose errors are passed on together, for speed alone


def compensated(graph: Graph, weights: Weights, crops: np.ndarray) -> Weights:
    """Weights with kernels of whole steps, 127 to the largest number of an output channel.

    Each layer is rounded for the exact results of those before it: mistakes are not passed on, but
    nor are the wild ones of an ambiguous image.

    Args:
        graph: without normalizations.
        weights: of its nodes.
        crops: (N, H, W, 3) float32, as the network takes them.
    """
    images = crops[: max(1, PIXELS // (crops.shape[1] * crops.shape[2]))]
    share = np.full(len(images), 1 / len(images), np.float32)
    if (padding := _padding(crops)) is not None:
        images = np.concatenate([images, np.broadcast_to(padding, images[:1].shape)])
        share = np.append(share * (1 - PADDING), np.float32(PADDING))
    readers, changed = graph.readers(), {}

    def mark(node, x):
        for reader in readers[node]:
            if reader in weights and reader not in changed:
                changed[reader] = _compensated(reader, weights[reader], x, share)
        return x

    compute(graph, tf.constant(images), weights, mark)
    return changed


def _padding(crops):
    """The colour that whole edges of crops have, if it is their darkest; None without any."""
    dark = crops.min((0, 1, 2))
    edges = crops[:, 0], crops[:, -1], crops[:, :, 0], crops[:, :, -1]
    return dark if any((each == dark).all((1, 2)).any() for each in edges) else None


def _compensated(node, weights, x, share):
    """The weights of one node that takes x (B, ...); `share` is what each image counts."""
    kernel = weights["kernel"]
    size, inputs, groups = _layout(node)
    # (groups, K, outputs of a group)
    rows = kernel.reshape(size, inputs, groups, -1).transpose(2, 0, 1, 3)
    turned, rows = rows.shape, rows.reshape(groups, size * inputs, -1)
    patches = _patches(node, x)
    count = patches.shape[1] // len(share)
    share = np.repeat(share / count, count)[:, None]
    mean = (patches * share).sum(1, keepdims=True)
    moves = patches - mean
    moments = (np.swapaxes(moves * share, 1, 2) @ moves).astype(np.float64)
    del patches, moves  # of wide layers these and what follows take hundreds of MB
    rounded = round_in_turn(moments, rows)
    shift = mean @ (rounded - rows)
    return {
        "kernel": rounded.reshape(turned).transpose(1, 2, 0, 3).reshape(kernel.shape),
        "bias": (weights.get("bias", 0) - shift.ravel()).astype(np.float32),
    }


def round_in_turn(moments: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Kernels of whole steps whose errors cancel; the largest number of each output stays.

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
    # Row i: how inputs behind i move with it, and how far their errors must be made up for.
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
    """What the kernel of a node is multiplied with in some pixels, the same in all images."""
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
