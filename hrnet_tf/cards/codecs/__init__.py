"""Codecs: keypoints -> training targets, heatmaps -> keypoints, and the flip test.

All functions are batched and use `keras.ops` alone: the same code runs eagerly on NumPy arrays,
inside `tf.data`, symbolically inside a functional Keras model, and on JAX.
"""

import numpy as np
from keras import ops

from hrnet_tf.cards.codecs.base import STRIDE, Codec
from hrnet_tf.cards.codecs.dark import DARK
from hrnet_tf.cards.codecs.face import Face
from hrnet_tf.cards.codecs.msra import MSRA
from hrnet_tf.cards.codecs.udp import UDP, UDPCombined

__all__ = ["DARK", "MSRA", "STRIDE", "UDP", "Codec", "Face", "UDPCombined", "merge_flipped"]


def merge_flipped(heatmaps, flipped, flip_pairs: tuple[tuple[int, int], ...], codec: Codec):
    """The mean of heatmaps and of those of the mirrored crop, after mirroring these back.

    Mirrors the columns, swaps left and right keypoints and, if the codec says so, moves the map one
    column to the right (`flip_back` and SHIFT_HEATMAP of the original's `validate`).

    Args:
        heatmaps: (B, H, W, codec.channels(K)).
        flipped: The network's output for the mirrored crop, same shape.
        flip_pairs: Pairs of keypoints that change places in a mirrored image.
        codec: The codec of the network.
    """
    _, _, width, channels = heatmaps.shape
    signs = codec.mirror_signs
    columns = np.arange(width)[::-1]
    if codec.shift_flipped:
        columns = np.append(columns[:1], columns[:-1])  # the first column stays in place
    order = np.arange(channels).reshape(-1, len(signs))
    for left, right in flip_pairs:
        order[[left, right]] = order[[right, left]]
    back = ops.take(ops.take(flipped, columns, axis=2), order.ravel(), axis=3)
    back = back * np.tile(np.array(signs, "float32"), channels // len(signs))
    return 0.5 * (heatmaps + back)
