"""Non-maximum suppression: of boxes of one object, only the best one stays."""

import numpy as np
from keras import ops

from hrnet_tf.tasks.detection.arrays import best, is_tensorflow

BLOCK = 128  # boxes that are compared with the others at once
CHUNK = 2048  # of these others; the temporary arrays then stay in the processor's cache


def nms(boxes, scores, threshold: float, geometry: str = "continuous", most: int | None = None):
    """The boxes that no better box overlaps.

    The best box stays, and all go whose IoU with it is above the threshold; then the best of the
    others stays, and so on. Of boxes with equal scores the first one counts as better.

    Args:
        boxes: (N, 4) x1, y1, x2, y2; a NumPy array, or a tensor of TensorFlow, also in a graph.
        scores: (N,).
        threshold: IoU above which a box goes.
        geometry: of the boxes, as of `DetectionCard`.
        most: stop when so many boxes were found; no limit if None.

    Returns:
        The indices of the boxes that stay, best first.
    """
    if is_tensorflow(boxes):
        return _tensorflow_nms(boxes, scores, threshold, geometry, most)
    return _numpy_nms(boxes, scores, None, threshold, geometry, most)


def class_nms(
    boxes, scores, classes, threshold: float, geometry: str = "continuous", most: int | None = None
):
    """As `nms`, but a box goes only if a box of its own class overlaps it.

    Args:
        boxes: (N, 4), and all others as of `nms`.
        scores: (N,).
        classes: (N,) integers from 0.
        threshold: IoU above which a box goes.
        geometry: of the boxes.
        most: stop when so many boxes were found.
    """
    if is_tensorflow(boxes):
        return _tensorflow_nms(_apart(boxes, classes), scores, threshold, geometry, most)
    return _numpy_nms(boxes, scores, classes, threshold, geometry, most)


def _numpy_nms(boxes, scores, classes, threshold, geometry, most):
    """Takes the best boxes in blocks; those of a block that stay are compared with all others."""
    order = best(scores, len(scores))
    most = len(order) if most is None else most
    low, high = np.float32(boxes[order].T).reshape(2, 2, -1)
    high = high + np.float32(geometry == "inclusive")
    # IoU > t is: intersection > t / (1 + t) * (sum of both areas).
    areas = (high - low).prod(axis=0) * np.float32(threshold / (1 + threshold))
    classes = None if classes is None else classes[order]
    kept, count, rest = [], 0, np.arange(len(order))
    while len(rest) and count < most:
        block, rest = rest[:BLOCK], rest[BLOCK:]
        block = block[_first(_overlaps(low, high, areas, classes, block, block))]
        kept.append(block)
        count += len(block)
        if count < most:
            rest = rest[~_overlapped(low, high, areas, classes, block, rest)]
    return order[np.concatenate(kept)[:most]] if kept else order


def _overlaps(low, high, areas, classes, some, others):
    """Whether the IoU of boxes of these indices is above the threshold, (some, others) bool."""
    shared = None
    for axis in range(2):
        side = np.minimum(high[axis, some, None], high[axis, others])
        side -= np.maximum(low[axis, some, None], low[axis, others])
        np.maximum(side, 0, out=side)
        shared = side if shared is None else np.multiply(shared, side, out=shared)
    found = shared > areas[some, None] + areas[others]
    if classes is not None:
        found &= classes[some, None] == classes[others]
    return found


def _overlapped(low, high, areas, classes, some, others):
    """Which of the others a box of `some` overlaps, (others,) bool."""
    found = np.zeros(len(others), bool)
    for start in range(0, len(others), CHUNK):
        part = slice(start, start + CHUNK)
        found[part] = _overlaps(low, high, areas, classes, some, others[part]).any(axis=0)
    return found


def _first(overlaps):
    """Which boxes, best first, stay of those that overlap each other so (N, N), (N,) bool."""
    stays = np.ones(len(overlaps), bool)
    for i in range(len(overlaps)):
        if stays[i]:
            stays[i + 1 :] &= ~overlaps[i, i + 1 :]
    return stays


def _tensorflow_nms(boxes, scores, threshold, geometry, most):
    import tensorflow as tf  # Keras has imported it already

    most = tf.shape(scores)[0] if most is None else most
    if geometry == "inclusive":
        boxes = boxes + np.float32([0, 0, 1, 1])
    return tf.image.non_max_suppression(boxes, scores, most, threshold)


def _apart(boxes, classes):
    """The boxes, those of each class moved to a place of its own.

    The places form a square: moved in a row, boxes of the 80th class of a large image would keep
    only 1/100 of a pixel in float32 (which `batched_nms` of mmdetection accepts).
    """
    if len(boxes.shape) and boxes.shape[0] == 0:
        return boxes
    least = ops.min(boxes)
    step = ops.max(boxes) - least + 1
    side = ops.cast(ops.ceil(ops.sqrt(ops.cast(ops.max(classes) + 1, "float32"))), classes.dtype)
    place = ops.cast(ops.stack([classes % side, classes // side], axis=1), "float32") * step
    return boxes - least + ops.concatenate([place, place], axis=1)
