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
    if most is None and len(scores):
        return _nms_by_class(boxes, scores, classes, threshold, geometry)
    return _numpy_nms(boxes, scores, classes, threshold, geometry, most)


def _nms_by_class(boxes, scores, classes, threshold, geometry):
    """`class_nms` without a limit: class by class, so that fewer boxes are compared."""
    rows = np.argsort(classes, kind="stable")
    starts = np.flatnonzero(np.diff(classes[rows])) + 1
    found = [
        each[_numpy_nms(boxes[each], scores[each], None, threshold, geometry, None)]
        for each in np.split(rows, starts)
    ]
    kept = np.sort(np.concatenate(found))
    return kept[best(scores[kept], len(kept))]


def _numpy_nms(boxes, scores, classes, threshold, geometry, most):
    """Takes the best boxes in blocks; those of a block that stay are compared with all others."""
    order = best(scores, len(scores))
    most = len(order) if most is None else most
    x1, y1, x2, y2 = boxes[order].T.astype(np.float32)
    if geometry == "inclusive":
        x2, y2 = x2 + 1, y2 + 1
    # IoU > t is: intersection > t / (1 + t) * (sum of both areas).
    areas = (x2 - x1) * (y2 - y1) * np.float32(threshold / (1 + threshold))
    numbers = np.zeros(len(order)) if classes is None else classes[order]
    rest = np.stack([x1, y1, x2, y2, areas, np.float32(numbers)])
    rows, kept, count, by_class = np.arange(len(order)), [], 0, classes is not None
    while len(rows) and count < most:
        block, rest = rest[:, :BLOCK], rest[:, BLOCK:]
        stays = _first(_overlaps(block, block, by_class))
        kept.append(rows[:BLOCK][stays])
        count, rows, block = count + len(kept[-1]), rows[BLOCK:], block[:, stays]
        if count < most:
            free = ~_overlapped(block, rest, by_class)
            rest, rows = rest[:, free], rows[free]
    return order[np.concatenate(kept)[:most]] if kept else order


def _overlaps(some, others, by_class):
    """Whether the IoU of boxes is above the threshold, (N, M) bool.

    Args:
        some: (6, N) rows x1, y1, x2, y2, area times t / (1 + t), class.
        others: (6, M).
        by_class: whether boxes of different classes do not overlap.
    """
    shared = _sides(some[0::2], others[0::2])
    shared *= _sides(some[1::2], others[1::2])
    found = shared > some[4][:, None] + others[4]
    if by_class:
        found &= some[5][:, None] == others[5]
    return found


def _sides(some, others):
    """Lengths that intervals have in common; `some` and `others` begin with two rows, low, high."""
    found = np.minimum(some[1][:, None], others[1])
    found -= np.maximum(some[0][:, None], others[0])
    return np.maximum(found, 0, out=found)


def _overlapped(some, others, by_class):
    """Which of the others a box of `some` overlaps, (M,) bool."""
    found = np.zeros(others.shape[1], bool)
    for start in range(0, len(found), CHUNK):
        part = slice(start, start + CHUNK)
        found[part] = _overlaps(some, others[:, part], by_class).any(axis=0)
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
