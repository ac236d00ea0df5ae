"""Boxes relative to others: deltas of anchors and regions, distances from points.

Boxes are x1, y1, x2, y2 in pixels. All functions take NumPy arrays or tensors, and return the same
kind. In the geometry "inclusive", x2 and y2 are the last pixels of a box (see `DetectionCard`).
"""

import math

import numpy as np

from hrnet_tf.tasks.detection.arrays import floats, namespace

RPN_STDS = (1.0, 1.0, 1.0, 1.0)
# Standard deviations by which the deltas of each stage were divided for training.
STAGE_STDS = (
    (0.1, 0.1, 0.2, 0.2),
    (0.05, 0.05, 0.1, 0.1),
    (0.033, 0.033, 0.067, 0.067),
)
MOST_GROWTH = math.log(1000 / 16)  # of width and height, in either direction


def encode(boxes, targets, stds=RPN_STDS, geometry: str = "continuous"):
    """The deltas that turn boxes into targets (`bbox2delta` of mmdetection).

    Args:
        boxes: (N, 4).
        targets: (N, 4).
        stds: the deltas dx, dy, dw, dh are divided by these.
        geometry: of the boxes.

    Returns:
        (N, 4) dx, dy in widths and heights of the box, dw, dh logarithms of ratios.
    """
    xp, extra = namespace(boxes), _extra(geometry)
    size = boxes[:, 2:] - boxes[:, :2] + extra
    target_size = targets[:, 2:] - targets[:, :2] + extra
    shift = (targets[:, :2] + targets[:, 2:] - boxes[:, :2] - boxes[:, 2:]) * 0.5 / size
    return xp.concatenate([shift, xp.log(target_size / size)], axis=1) / np.float32(stds)


def decode(boxes, deltas, stds=RPN_STDS, geometry: str = "continuous"):
    """The boxes that the deltas make of these boxes (`delta2bbox` of mmdetection); not clipped.

    Args:
        boxes: (N, 4).
        deltas: (N, 4 * K) dx, dy, dw, dh of each of K classes.
        stds: as of `encode`.
        geometry: of the boxes.

    Returns:
        (N, 4 * K).
    """
    xp, extra, stds = namespace(deltas), _extra(geometry), np.float32(stds)
    deltas = xp.reshape(deltas, (-1, deltas.shape[1] // 4, 4)) * stds
    low, high = boxes[:, None, :2], boxes[:, None, 2:]
    size = high - low + extra
    center = (low + high) * 0.5 + size * deltas[..., :2]
    growth = xp.minimum(xp.maximum(deltas[..., 2:], -MOST_GROWTH), MOST_GROWTH)
    half = size * xp.exp(growth) * 0.5 - 0.5 * extra
    corners = xp.concatenate([center - half, center + half], axis=2)
    return xp.reshape(corners, (-1, 4 * deltas.shape[1]))


def from_distances(points, distances):
    """The boxes (N, 4) whose sides have these distances left, top, right, bottom (N, 4) to points.

    Args:
        points: (N, 2) x, y.
        distances: (N, 4) pixels.
    """
    xp = namespace(distances)
    return xp.concatenate([points - distances[:, :2], points + distances[:, 2:]], axis=1)


def clip(boxes, size, geometry: str = "continuous"):
    """The boxes (N, 4), cut to an image of `size` (height, width)."""
    xp, (height, width) = namespace(boxes), size
    limits = floats(xp.stack([width, height, width, height])) - _extra(geometry)
    return xp.minimum(xp.maximum(boxes, 0.0), limits)


def sides(boxes, geometry: str = "continuous"):
    """Width and height of the boxes (N, 4), (N, 2)."""
    return boxes[:, 2:] - boxes[:, :2] + _extra(geometry)


def _extra(geometry):
    """Pixels by which a box is wider than x2 - x1."""
    return 1.0 if geometry == "inclusive" else 0.0
