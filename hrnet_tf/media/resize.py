"""Resizes arrays as the original implementations do."""

import numpy as np


def resize(
    image: np.ndarray,
    size: tuple[int, int],
    align_corners: bool = False,
    rows: range | None = None,
) -> np.ndarray:
    """Bilinear resizing without smoothing, as `torch.nn.functional.interpolate` does it.

    Args:
        image: (h, w, C).
        size: (height, width) of the result.
        align_corners: align the centres of the corner pixels instead of the corners of the images.
        rows: compute only these rows of the result.

    Returns:
        (height, width, C) float32, a new array.
    """
    rows = range(size[0]) if rows is None else rows
    if image.shape[:2] == tuple(size):
        return image[rows.start : rows.stop].astype(np.float32)
    top, bottom, down = _neighbours(image.shape[0], size[0], align_corners)
    left, right, across = _neighbours(image.shape[1], size[1], align_corners)
    across = across[:, None]
    result = np.empty((len(rows), size[1], image.shape[2]), np.float32)
    for i, y in enumerate(rows):  # a row at a time stays in the processor's cache
        row = image[top[y]] * (1 - down[y]) + image[bottom[y]] * down[y]
        start = row[left]
        np.subtract(row[right], start, out=result[i])
        result[i] *= across
        result[i] += start
    return result


def _neighbours(old, new, align_corners):
    """For each of `new` pixels the old ones before and after it, and the weight of the latter."""
    if align_corners:
        places = np.arange(new) * ((old - 1) / max(new - 1, 1))
    else:
        places = np.clip((np.arange(new) + 0.5) * (old / new) - 0.5, 0, old - 1)
    low = np.minimum(places.astype(int), old - 1)
    return low, np.minimum(low + 1, old - 1), (places - low).astype(np.float32)
