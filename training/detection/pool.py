"""RoIAlign for training: exact for any box, in a graph of fixed structure.

The network's own RoIAlign gathers windows of one size, so it is exact for boxes up to a limit.
Here, long boxes are pooled apart from the others, with windows that suffice for them.
"""

from collections.abc import Sequence

import tensorflow as tf

from hrnet_tf.networks.heads.roi import levels_of, roi_align

SHORT = 4  # cells per bin of ordinary boxes


def pool(
    maps: Sequence[tf.Tensor], boxes: tf.Tensor, size: int, strides: Sequence[int]
) -> tf.Tensor:
    """Pools boxes (B, R, 4), each from its own map, (B * R, size, size, C).

    Args:
        maps: (B, h, w, C) each, finest first.
        boxes: x1, y1, x2, y2 in pixels; empty ones give 0.
        size: height and width of the result in bins.
        strides: pixels per cell of each map.
    """
    shape = tf.shape(boxes)
    level = tf.reshape(levels_of(tf.reshape(boxes, (-1, 4)), len(maps)), shape[:2])
    stride = tf.gather(tf.constant(strides, tf.float32), level)[..., None]
    # Bins are as RoIAlign computes them, so that rounding up agrees.
    cells = (boxes[..., 3:1:-1] / stride - 0.5) - (boxes[..., 1::-1] / stride - 0.5)
    need = tf.cast(tf.math.ceil(tf.maximum(cells, 0.0) / size + 1e-4), tf.int32)
    need = tf.maximum(need, 2)
    ordinary = tf.reduce_max(need, axis=2) <= SHORT
    wide = need[..., 1] >= need[..., 0]
    total = tf.zeros((shape[0] * shape[1], size, size, maps[0].shape[-1]), maps[0].dtype)
    for group in (ordinary, ~ordinary & wide, ~ordinary & ~wide):
        rows = tf.argsort(tf.cast(~group, tf.int32), axis=1, stable=True)
        rows = rows[:, : tf.reduce_max(tf.reduce_sum(tf.cast(group, tf.int32), axis=1))]
        own = tf.gather(group, rows, batch_dims=1)[..., None]
        some = tf.where(own, tf.gather(boxes, rows, batch_dims=1), 0.0)
        most = tf.where(own, tf.gather(need, rows, batch_dims=1), 2)
        most = tf.reduce_max(tf.reshape(most, (-1, 2)), axis=0)
        most = tf.maximum(most, 2)  # of no boxes
        pooled = roi_align(maps, some, size, strides, (most[0], most[1]), exact=True)
        places = rows + tf.range(shape[0])[:, None] * shape[1]
        total = tf.tensor_scatter_nd_add(total, tf.reshape(places, (-1, 1)), pooled)
    return total


def mask_targets(masks: tf.Tensor, objects: tf.Tensor, boxes: tf.Tensor, size: int) -> tf.Tensor:
    """What a mask head has to find: the masks of objects within boxes, by RoIAlign at .5.

    Args:
        masks: (M, H, ceil(W / 8)) uint8, the bits of each row, the highest first.
        objects: (P,) int32, the mask of each box.
        boxes: (P, 4) in pixels of the masks.
        size: height and width of the result.

    Returns:
        (P, size, size) float32 of 0 and 1.
    """

    def one(row):
        number, box = row
        pixels = unpacked(masks[number])[None, ..., None]
        cells = tf.math.ceil(tf.maximum(box[3:1:-1] - box[1::-1], 0.0) / size + 1e-4)
        need = tf.maximum(tf.cast(cells, tf.int32), 2)
        samples = (need[0], need[1])
        found = roi_align([pixels], box[None, None], size, (1,), samples, exact=True)
        return tf.ensure_shape(found[0, ..., 0], (size, size))

    found = tf.map_fn(one, (objects, boxes), fn_output_signature=tf.float32)
    return tf.cast(found >= 0.5, tf.float32)


@tf.function(jit_compile=True, autograph=False)
def packed(masks: tf.Tensor) -> tf.Tensor:
    """Masks (..., W) of 0 and 1, W a multiple of 8, as bits (..., W / 8) uint8."""
    width = masks.shape[-1] // 8
    bits = tf.reshape(tf.cast(masks, tf.int32), (*tf.unstack(tf.shape(masks)[:-1]), width, 8))
    return tf.cast(tf.reduce_sum(bits * tf.constant([128, 64, 32, 16, 8, 4, 2, 1]), -1), tf.uint8)


def unpacked(bits: tf.Tensor) -> tf.Tensor:
    """Bits (H, W / 8) uint8 as a mask (H, W) float32."""
    places = tf.constant((7, 6, 5, 4, 3, 2, 1, 0), tf.uint8)
    shifted = tf.bitwise.right_shift(bits[..., None], places)
    shape = tf.shape(bits)
    return tf.reshape(tf.cast(shifted & 1, tf.float32), (shape[0], shape[1] * 8))
