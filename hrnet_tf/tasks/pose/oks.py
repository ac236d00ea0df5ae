"""Object keypoint similarity, the measure of COCO's keypoint evaluation."""

from collections.abc import Sequence

import numpy as np


def similarity(
    points: np.ndarray, others: np.ndarray, areas: np.ndarray, sigmas: Sequence[float]
) -> np.ndarray:
    """How near each keypoint is to its partner, 1 at the same place, 0 far away.

    Their mean over the keypoints that count is OKS (`computeOks` of pycocotools).

    Args:
        points: (..., K, 2) in image pixels.
        others: (..., K, 2) in image pixels; broadcasts with `points`.
        areas: (...) of the objects, in square image pixels.
        sigmas: K spreads, as fractions of the object's size.

    Returns:
        (..., K) in 0..1.
    """
    variances = (2 * np.asarray(sigmas, "float64")) ** 2
    areas = np.asarray(areas, "float64") + np.spacing(1)
    distances = ((others - points) ** 2).sum(-1)
    return np.exp(-distances / variances / areas[..., None] / 2)
