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


def resize_8bit(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Bilinear resizing without smoothing, with the rounding of OpenCV's `resize` of 8-bit images.

    OpenCV computes with weights of 11 bits, and cuts off bits between its two passes; an eighth of
    the pixels differ by 1 from exact results.

    Args:
        image: (h, w, C) uint8.
        size: (height, width) of the result.

    Returns:
        (height, width, C) uint8, a new array.
    """
    if image.shape[:2] == tuple(size):
        return image.copy()
    (top, down), (left, across) = (_places(image.shape[i], size[i]) for i in range(2))
    # Before the first and after the last column OpenCV takes that column alone, but of rows it
    # adds the parts of twice the same row.
    across[(left < 0) | (left >= image.shape[1] - 1)] = 0
    (above, below), (near, far) = (_weights(each) for each in (down, across))
    near, far = near[:, None], far[:, None]
    rows = np.clip([top, top + 1], 0, image.shape[0] - 1)
    left, right = np.clip([left, left + 1], 0, image.shape[1] - 1)
    result, at = np.empty((*size, image.shape[2]), np.uint8), {}
    for y, (upper, lower) in enumerate(rows.T.tolist()):  # a row stays in the processor's cache
        for row in {upper, lower} - at.keys():
            at[row] = (image[row, left] * near + image[row, right] * far) >> 4
        result[y] = ((at[upper] * above[y] >> 16) + (at[lower] * below[y] >> 16) + 2) >> 2
        at = {row: at[row] for row in (upper, lower)}
    return result


def _places(old, new):
    """For each of `new` pixels, the old one before it, from -1 on, and the weight of the next."""
    places = ((np.arange(new) + 0.5) * (1 / (new / old)) - 0.5).astype(np.float32)
    low = np.floor(places)
    return low.astype(int), places - low


def _weights(share):
    """The weights of two neighbours as integers of 11 bits."""
    return (np.rint(each * 2048).astype(np.int32) for each in (1 - share, share))
