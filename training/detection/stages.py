"""From a stage's regions to those of the next one (`refine_bboxes` of mmdetection)."""

import tensorflow as tf

from hrnet_tf.tasks.detection.deltas import STAGE_STDS, clip, decode
from hrnet_tf.training.detection.sample import Sampled


def refined(
    boxes: tf.Tensor, deltas: tf.Tensor, found: Sampled, size: tf.Tensor, objects: int, stage: int
) -> tuple[tf.Tensor, tf.Tensor]:
    """The regions of the next stage; objects that were added as regions are left out.

    Args:
        boxes: (B, S, 4).
        deltas: (B, S, 4), which all classes share.
        found: what the boxes are; rows below `objects` are objects.
        size: (B, 2) height and width of the images.
        objects: their highest number M.
        stage: from 0.

    Returns:
        Boxes (B, S, 4) within their images, and which are usable (B, S) bool.
    """
    flat = (tf.reshape(each, (-1, 4)) for each in (boxes, deltas))
    moved = tf.reshape(decode(*flat, STAGE_STDS[stage]), tf.shape(boxes))
    moved = tf.vectorized_map(lambda pair: clip(pair[0], tf.unstack(pair[1])), (moved, size))
    return tf.stop_gradient(moved), found.used & (found.rows >= objects)
