"""The places that a detector predicts from: the RPN's anchors, and the points of FCOS.

They are numbered by row, then column, then ratio, as the maps (H, W, A * k) are when flattened.
All functions take NumPy arrays or tensors, and return the same kind.
"""

import numpy as np

from hrnet_tf.tasks.detection.arrays import chosen, floats, namespace

RATIOS = (0.5, 1.0, 2.0)  # height / width of the anchors of a cell
SCALE = 8  # the side of the square anchor, in strides


def base_anchors(stride: int, geometry: str = "continuous") -> np.ndarray:
    """Anchors of the cell in the top left corner.

    Args:
        stride: pixels from a cell to the next.
        geometry: "continuous": centred on 0 (`AnchorGenerator` of mmdetection 3); "inclusive":
            centred on (stride - 1) / 2, with whole numbers, of which x2 and y2 are the last pixels
            (`anchor_generator.py` of mmdetection 1).

    Returns:
        (3, 4) x1, y1, x2, y2 in pixels of the network's input, float32, in the order of `RATIOS`.
    """
    root = np.sqrt(RATIOS)
    half = SCALE * stride / 2 * np.stack([1 / root, root], axis=1)
    if geometry == "continuous":
        return np.concatenate([-half, half], axis=1).astype(np.float32)
    center, half = (stride - 1) / 2, half - 0.5
    return np.round(np.concatenate([center - half, center + half], axis=1)).astype(np.float32)


def anchors_at(indices, width, stride: int, geometry: str = "continuous"):
    """The anchors of these numbers (N,), on a map of `width` columns.

    Returns:
        (N, 4) x1, y1, x2, y2, float32.
    """
    cells, ratios = indices // len(RATIOS), indices % len(RATIOS)
    shift = _corner(cells, width, stride)
    (base,) = chosen(ratios, base_anchors(stride, geometry))
    return namespace(indices).concatenate([shift, shift], axis=1) + base


def anchors(height: int, width: int, stride: int, geometry: str = "continuous") -> np.ndarray:
    """All anchors of a map, (height * width * 3, 4) x1, y1, x2, y2, float32."""
    return anchors_at(np.arange(height * width * len(RATIOS)), width, stride, geometry)


def points_at(indices, width, stride: int):
    """The points x, y of these numbers (N,): the centres of the cells, (N, 2) float32."""
    return _corner(indices, width, stride) + stride / 2


def points(height: int, width: int, stride: int) -> np.ndarray:
    """All points of a map, (height * width, 2) x, y, float32."""
    return points_at(np.arange(height * width), width, stride)


def _corner(cells, width, stride):
    """X and y of the cells' top left corners, (N, 2)."""
    return floats(namespace(cells).stack([cells % width, cells // width], axis=1)) * stride
