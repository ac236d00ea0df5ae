"""Overlap of boxes, and pairs of rows and columns, for following what moves."""

import numpy as np


def box_iou(boxes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Intersection over union of boxes (N, 4) with others (M, 4), x, y, width, height: (N, M)."""
    a, b = boxes[:, None], others[None]
    sides = np.minimum(a[..., :2] + a[..., 2:], b[..., :2] + b[..., 2:])
    common = (sides - np.maximum(a[..., :2], b[..., :2])).clip(0).prod(-1)
    return common / (a[..., 2:].prod(-1) + b[..., 2:].prod(-1) - common).clip(1e-9)


def assign(matrix: np.ndarray, least: float) -> list[tuple[int, int]]:
    """The pairs (row, column) with the largest sum, without pairs below `least`."""
    from scipy.optimize import linear_sum_assignment  # takes .15 s, and only videos need it

    matrix = np.where(matrix >= least, matrix, 0)
    pairs = zip(*linear_sum_assignment(matrix, maximize=True), strict=True)
    return [(int(row), int(column)) for row, column in pairs if matrix[row, column] >= least]
