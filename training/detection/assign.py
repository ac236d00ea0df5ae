"""Which object each anchor, region or point has to find; plain functions of static shapes.

Objects are padded: boxes of zeros are no objects, as they overlap nothing and contain no point.
"""

from dataclasses import dataclass

import tensorflow as tf

UNUSED = -1  # neither an object nor background
# Largest distance to a side, in pixels, of the objects of each level of FCOS.
RANGES = ((-1.0, 64.0), (64.0, 128.0), (128.0, 256.0), (256.0, 512.0), (512.0, 1e8))


def ranges(levels: int) -> tuple[tuple[float, float], ...]:
    """`RANGES` for so many levels; the last one has no upper limit."""
    *finer, (low, _) = RANGES[:levels]
    return (*finer, (low, RANGES[-1][1]))


@dataclass(frozen=True)
class Rule:
    """By which IoU boxes are objects (`MaxIoUAssigner` of mmdetection).

    Attributes:
        positive: a box with this IoU or a higher one is the object that it overlaps most.
        negative: a box with a lower IoU is background.
        least: the best boxes of an object are the object if their IoU is at least this; None: only
            boxes above `positive` are.
    """

    positive: float
    negative: float
    least: float | None = None


RPN = Rule(0.7, 0.3, 0.3)


def areas(boxes: tf.Tensor) -> tf.Tensor:
    """Areas (...,) of boxes (..., 4)."""
    return (boxes[..., 2] - boxes[..., 0]) * (boxes[..., 3] - boxes[..., 1])


def overlaps(objects: tf.Tensor, boxes: tf.Tensor) -> tf.Tensor:
    """IoU of objects (M, 4) and boxes (N, 4), x1 y1 x2 y2 in pixels, (M, N) float32.

    The order of the operations is mmdetection's. Many anchors have IoUs that are equal in theory,
    and `assign` compares them by `==`.
    """
    low = tf.maximum(objects[:, None, :2], boxes[None, :, :2])
    high = tf.minimum(objects[:, None, 2:], boxes[None, :, 2:])
    side = tf.maximum(high - low, 0.0)
    shared = side[..., 0] * side[..., 1]
    return shared / tf.maximum(areas(objects)[:, None] + areas(boxes) - shared, 1e-6)


def assign(objects: tf.Tensor, boxes: tf.Tensor, usable: tf.Tensor, rule: Rule) -> tf.Tensor:
    """The object of each box.

    Args:
        objects: (M, 4), padded with zeros.
        boxes: (N, 4).
        usable: (N,) bool; other boxes are left out.
        rule: the IoUs that count.

    Returns:
        (N,) int32: the number of the object plus 1, 0 for background, or `UNUSED`.
    """
    found = tf.where(usable[None], overlaps(objects, boxes), -1.0)
    best = tf.reduce_max(found, axis=0)
    owner = tf.argmax(found, axis=0, output_type=tf.int32) + 1
    assigned = tf.where(best < rule.negative, 0, UNUSED)
    assigned = tf.where(best >= rule.positive, owner, assigned)
    if rule.least is not None:
        own = tf.reduce_max(found, axis=1, keepdims=True)
        tied = (found == own) & (own >= rule.least)
        numbers = tf.range(1, tf.shape(objects)[0] + 1)[:, None]
        last = tf.reduce_max(tf.where(tied, numbers, 0), axis=0)
        assigned = tf.where(last > 0, last, assigned)
    return tf.where(usable, assigned, UNUSED)


def usable_anchors(
    anchors: tf.Tensor, size: tf.Tensor, stride: int, width: int, inside: bool
) -> tf.Tensor:
    """Which anchors of a level take part in training, (N,) bool.

    Args:
        anchors: (N, 4), in the order of `tasks.detection.anchors`.
        size: (2,) height and width of the image without padding.
        stride: pixels of a cell.
        width: number of columns of the level's map.
        inside: whether anchors must lie within the image; otherwise their cells must lie within
            the image padded to a multiple of 32.
    """
    cells = tf.range(anchors.shape[0]) // 3
    padded = (size + 31) // 32 * 32
    reached = -(-padded // stride)
    usable = (cells // width < reached[0]) & (cells % width < reached[1])
    if inside:
        limit = tf.cast(size, tf.float32)
        usable &= tf.reduce_all(anchors[:, :2] >= 0, axis=1)
        usable &= tf.reduce_all(anchors[:, 2:] < limit[::-1], axis=1)
    return usable


def points_targets(
    objects: tf.Tensor, classes: tf.Tensor, points: tf.Tensor, limits: tf.Tensor, count: int
) -> tuple[tf.Tensor, tf.Tensor]:
    """The class and the distances that each point of FCOS has to find (`FCOSHead.get_targets`).

    A point within several objects belongs to the smallest of those of its level.

    Args:
        objects: (M, 4), padded with zeros.
        classes: (M,) int32.
        points: (N, 2) x, y in pixels.
        limits: (N, 2), the row of `RANGES` of the level of each point.
        count: number of classes, which is the class of the background.

    Returns:
        Classes (N,) int32, and distances to left, top, right and bottom (N, 4) in pixels, 0 for
        background.
    """
    low = points[:, None] - objects[None, :, :2]
    high = objects[None, :, 2:] - points[:, None]
    distances = tf.concat([low, high], axis=2)
    largest = tf.reduce_max(distances, axis=2)
    fits = tf.reduce_min(distances, axis=2) > 0
    fits &= (largest >= limits[:, :1]) & (largest <= limits[:, 1:])
    size = tf.where(fits, areas(objects)[None], tf.float32.max)
    chosen = tf.argmin(size, axis=1, output_type=tf.int32)
    found = tf.reduce_any(fits, axis=1)
    own = tf.gather(distances, chosen, axis=1, batch_dims=1)
    return tf.where(found, tf.gather(classes, chosen), count), tf.where(found[:, None], own, 0.0)


def centerness(distances: tf.Tensor) -> tf.Tensor:
    """How central points are in their objects, 0..1, of distances (..., 4) above 0."""
    pairs = [tf.stack([distances[..., i], distances[..., i + 2]], axis=-1) for i in (0, 1)]
    share = [
        tf.math.divide_no_nan(tf.reduce_min(pair, axis=-1), tf.reduce_max(pair, axis=-1))
        for pair in pairs
    ]
    return tf.sqrt(share[0] * share[1])
