"""Fits images into the input of a detector, and chooses among the boxes that it finds."""

import numpy as np
from PIL import Image

from hrnet_tf.tasks.detection.nms import nms
from hrnet_tf.tasks.detection.options import Choice


def fit(
    image: np.ndarray, size: tuple[int, int], letterbox: bool
) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray]]:
    """Brings an image to the input size of a detector, smoothing where it shrinks.

    Args:
        image: (H, W, 3) uint8.
        size: (height, width) to bring it to.
        letterbox: keep the aspect ratio, with black borders; otherwise stretch.

    Returns:
        The (height, width, 3) uint8 and `(scale, shift)`, each for x and y: a point p, in pixels
        from the corner of the image, comes to p * scale + shift.
    """
    have, want = np.array(image.shape[1::-1]), np.array(size[::-1])
    inner = want
    if letterbox:
        inner = np.maximum(np.round(have * np.min(want / have)).astype(int), 1)
    shift = (want - inner) // 2
    pixels = np.zeros((*size, 3), np.uint8)
    small = Image.fromarray(image).resize(tuple(inner.tolist()), Image.Resampling.BILINEAR)
    pixels[shift[1] :, shift[0] :][: inner[1], : inner[0]] = small
    return pixels, (inner / have, shift)


def choose(
    corners: np.ndarray, scores: np.ndarray, size: tuple[int, int], choice: Choice | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """The boxes that count, best first.

    Args:
        corners: (N, 2, 2), x and y of the top left and the bottom right corner in pixels.
        scores: (N,).
        size: (height, width) of the image, to which boxes are clipped.
        choice: which boxes count.

    Returns:
        Boxes (n, 4) as x, y, width, height and scores (n,), float32.
    """
    choice = choice or Choice()
    corners = np.clip(corners, 0, size[::-1])
    sides = corners[:, 1] - corners[:, 0]
    good = np.isfinite(corners).all(axis=(1, 2)) & (sides > 0).all(axis=1)
    good &= (sides.max(axis=1) >= choice.min_size) & (scores >= choice.score_threshold)
    order = np.flatnonzero(good)
    found = nms(corners[order].reshape(-1, 4), scores[order], choice.nms, most=choice.max_persons)
    kept = order[found]
    boxes = np.concatenate([corners[kept, 0], sides[kept]], axis=1)
    return boxes.astype(np.float32), scores[kept].astype(np.float32)
