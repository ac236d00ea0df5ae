"""From the maps of FCOS to candidates: boxes of one class each."""

import math

from hrnet_tf.tasks.detection.anchors import points_at
from hrnet_tf.tasks.detection.arrays import best, chosen, namespace, sigmoid, where
from hrnet_tf.tasks.detection.deltas import clip, from_distances


def candidates(
    maps: tuple,
    stride: int,
    size: tuple,
    score_threshold: float = 0.05,
    most: int = 1000,
    geometry: str = "continuous",
) -> tuple:
    """The boxes of a level before NMS (`FCOSHead.predict_by_feat` of mmdetection 3).

    The threshold and `most` apply to the scores of classes; these are multiplied by the centerness
    afterwards. In the geometry "inclusive", `most` applies to points by the best product of both
    scores (`get_bboxes_single` of mmdetection 1).

    Args:
        maps: class logits (H, W, C), logarithms of the distances in pixels (H, W, 4) and logits of
            the centerness (H, W, 1); NumPy arrays, or tensors of TensorFlow, also in a graph.
        stride: pixels from a point to the next.
        size: (height, width) of the image without its padding; boxes are clipped to it.
        score_threshold: a class of a point must have a higher score.
        most: highest number of candidates, of the best scores.
        geometry: of the boxes, as of `DetectionCard`.

    Returns:
        Boxes (N, 4) x1, y1, x2, y2 in pixels of the network's input, scores (N,) from 0 to 1 and
        classes (N,).
    """
    class_logits, log_distances, centerness = maps
    xp, (_, width, count) = namespace(class_logits), class_logits.shape
    if width is None:
        width = xp.shape(class_logits)[1]
    rows = xp.reshape(class_logits, (-1, count))
    distances = xp.reshape(log_distances, (-1, 4))
    centers = sigmoid(xp.reshape(centerness, (-1,)))
    places = xp.arange(xp.shape(centers)[0])
    if geometry == "inclusive":
        places = best(sigmoid(xp.max(rows, axis=1)) * centers, most)
        rows, distances, centers = chosen(places, rows, distances, centers)
    logits = xp.reshape(rows, (-1,))
    indices = where(logits > _logit(score_threshold))
    (logits,) = chosen(indices, logits)
    if geometry == "continuous":
        order = best(logits, most)
        indices, logits = chosen(order, indices, logits)
    numbers, classes = indices // count, indices % count
    places, distances, centers = chosen(numbers, places, distances, centers)
    # No distance is above e^20 pixels; float32 ends at e^88.
    boxes = from_distances(points_at(places, width, stride), xp.exp(xp.minimum(distances, 20.0)))
    return clip(boxes, size, geometry), sigmoid(logits) * centers, classes


def _logit(score):
    """The logit of a score; infinite for 0 and 1."""
    return math.log(score / (1 - score)) if 0 < score < 1 else math.inf * (score - 0.5)
