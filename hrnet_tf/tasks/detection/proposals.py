"""From the RPN's maps to the regions in which objects may be."""

from collections.abc import Sequence

from hrnet_tf.tasks.detection.anchors import anchors_at
from hrnet_tf.tasks.detection.arrays import best, chosen, namespace, sigmoid, where
from hrnet_tf.tasks.detection.deltas import clip, decode, sides
from hrnet_tf.tasks.detection.nms import nms


def proposals(
    maps: Sequence[tuple],
    size: tuple,
    geometry: str = "continuous",
    per_level: int = 1000,
    most: int = 1000,
    threshold: float = 0.7,
    min_size: float = 0.0,
) -> tuple:
    """The regions of an image that look most like objects (`RPNHead.predict_by_feat`).

    On each level the anchors with the best scores are moved by their deltas and thinned out by
    `nms`; the best ones of all levels remain.

    Args:
        maps: for strides 4, 8, 16, … objectness (H, W, 3) and deltas (H, W, 12); NumPy arrays, or
            tensors of TensorFlow, also in a graph.
        size: (height, width) of the image without its padding; boxes are clipped to it.
        geometry: of the boxes, as of `DetectionCard`.
        per_level: highest number of anchors that are decoded on each level.
        most: highest number of regions.
        threshold: IoU above which the worse one of two regions goes.
        min_size: a region's width and height must be above this; in the inclusive geometry they
            must be at least as large.

    Returns:
        Boxes (N, 4) x1, y1, x2, y2 in pixels of the network's input and their scores (N,) from 0
        to 1, best first.
    """
    xp = namespace(maps[0][0])
    found = [
        _on_level(objectness, deltas, 2 ** (2 + level), (size, geometry, per_level, min_size))
        for level, (objectness, deltas) in enumerate(maps)
    ]
    kept = [chosen(nms(*each, threshold, geometry, most), *each) for each in found]
    boxes, logits = (xp.concatenate(each) for each in zip(*kept, strict=True))
    boxes, logits = chosen(best(logits, most), boxes, logits)
    return boxes, sigmoid(logits)


def _on_level(objectness, deltas, stride, settings):
    """Boxes (N, 4) of the best anchors of a level, and their logits (N,)."""
    size, geometry, per_level, min_size = settings
    xp, width = namespace(objectness), objectness.shape[1]
    if width is None:
        width = xp.shape(objectness)[1]
    logits = xp.reshape(objectness, (-1,))
    indices = best(logits, per_level)
    logits, deltas = chosen(indices, logits, xp.reshape(deltas, (-1, 4)))
    boxes = decode(anchors_at(indices, width, stride, geometry), deltas, geometry=geometry)
    boxes = clip(boxes, size, geometry)
    side = xp.min(sides(boxes, geometry), axis=1)
    large = side >= min_size if geometry == "inclusive" else side > min_size
    return chosen(where(large), boxes, logits)
