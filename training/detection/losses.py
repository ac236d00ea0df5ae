"""Losses of detectors, as functions of tensors in float32 (mmdetection 3).

Those that end in `_sum` are sums over all elements, weighted; what they are divided by is up to the
caller.
"""

from collections.abc import Callable

import tensorflow as tf

FOCAL_ALPHA, FOCAL_GAMMA = 0.25, 2.0
TINY = 1.1920929e-07  # mmdetection adds it to divisors


def softmax_sum(logits: tf.Tensor, classes: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
    """Cross-entropy of logits (N, C), classes (N,) int and weights (N,)."""
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(classes, logits)
    return tf.reduce_sum(losses * weights)


def sigmoid_sum(logits: tf.Tensor, targets: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
    """Binary cross-entropy of logits and targets 0..1 of the same shape."""
    losses = tf.nn.sigmoid_cross_entropy_with_logits(targets, logits)
    return tf.reduce_sum(losses * weights)


def focal_sum(logits: tf.Tensor, classes: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
    """Focal loss (Lin et al. ICCV 2017) of logits (N, C), classes (N,), of which C is background.

    `weights` is (N,).
    """
    targets = tf.one_hot(classes, logits.shape[-1])
    shares = tf.sigmoid(logits)
    missed = targets * (1 - shares) + (1 - targets) * shares
    factor = targets * FOCAL_ALPHA + (1 - targets) * (1 - FOCAL_ALPHA)
    losses = tf.nn.sigmoid_cross_entropy_with_logits(targets, logits)
    return tf.reduce_sum(factor * missed**FOCAL_GAMMA * losses * weights[:, None])


def smooth_l1_sum(found: tf.Tensor, targets: tf.Tensor, weights: tf.Tensor, beta: float):
    """Absolute differences, or squares where they are below `beta`; 0: nowhere (L1).

    Args:
        found: (N, 4).
        targets: (N, 4).
        weights: (N, 1) or (N, 4).
        beta: below this difference the loss is its square / (2 beta).
    """
    distance = tf.abs(found - targets)
    if beta:
        distance = tf.where(distance < beta, 0.5 * distance**2 / beta, distance - 0.5 * beta)
    return tf.reduce_sum(distance * weights)


def iou_log_sum(found: tf.Tensor, targets: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
    """-log of the IoU of boxes (N, 4) x1, y1, x2, y2, weights (N,) (Yu et al. ACM MM 2016)."""
    low = tf.maximum(found[:, :2], targets[:, :2])
    high = tf.minimum(found[:, 2:], targets[:, 2:])
    side = tf.maximum(high - low, 0.0)
    shared = side[:, 0] * side[:, 1]
    both = _areas(found) + _areas(targets) - shared
    iou = tf.maximum(shared / tf.maximum(both, 1e-6), 1e-6)
    return -tf.reduce_sum(tf.math.log(iou) * weights)


def _areas(boxes):
    return (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])


def fcos_losses(
    logits: tf.Tensor,
    log_distances: tf.Tensor,
    centers: tf.Tensor,
    classes: tf.Tensor,
    targets: tf.Tensor,
    truth: tf.Tensor,
    weights: tf.Tensor,
    total: Callable[[tf.Tensor], tf.Tensor] = tf.identity,
) -> dict[str, tf.Tensor]:
    """The losses of FCOS (`FCOSHead.loss_by_feat` of mmdetection 3), of all points of a batch.

    Args:
        logits: (N, C).
        log_distances: (N, 4), logarithms of distances in pixels.
        centers: (N,), logits of the centerness.
        classes: (N,) int, C for the background.
        targets: (N, 4) true distances.
        truth: (N,) true centerness.
        weights: (N,) 1, or 0 for the points of images that could not be read.
        total: sums a number over all devices.

    Returns:
        "class", "box" and "centerness", scalars.
    """
    positive = tf.cast(classes < logits.shape[-1], tf.float32) * weights
    count = tf.maximum(total(tf.reduce_sum(positive)), 1.0)
    central = truth * positive
    chosen = (positive > 0)[:, None]
    # Where there is no object, boxes of one pixel keep the gradients finite.
    found = tf.exp(tf.where(chosen, tf.minimum(log_distances, 20.0), 0.0))
    targets = tf.where(chosen, targets, 1.0)
    boxes = [tf.concat([-each[:, :2], each[:, 2:]], axis=1) for each in (found, targets)]
    boxes = iou_log_sum(*boxes, central) / tf.maximum(total(tf.reduce_sum(central)), 1e-6)
    return {
        "class": focal_sum(logits, classes, weights) / count,
        "box": boxes,
        "centerness": sigmoid_sum(centers, truth, positive) / count,
    }
