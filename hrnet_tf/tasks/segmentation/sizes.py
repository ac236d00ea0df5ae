"""Sizes of the images and windows that segmentation networks see, by the originals' rules."""

import dataclasses
import math

import numpy as np

from hrnet_tf.cards.segmentation import SegmentationCard
from hrnet_tf.media.resize import resize


def scaled_size(size: tuple[int, int], card: SegmentationCard, scale: float) -> tuple[int, int]:
    """(height, width) to which an image of `size` is resized at one scale.

    The side that the card's `resize` names gets `base_size * scale` pixels, the other one keeps
    the proportions (`multi_scale_aug` of the original `base_dataset.py`).
    """
    if card.resize == "both":
        return (_rounded(card.base_size * scale),) * 2
    known = (min if card.resize == "short" else max)(size)
    length = _rounded((card.base_size or known) * scale)
    return tuple(length if side == known else _rounded(side * length / known) for side in size)


def resized_first(image: np.ndarray, card: SegmentationCard) -> np.ndarray:
    """The image with both sides, or its short one, of `base_size`, in whole grey levels."""
    rule = "both" if card.resize == "both" else "short"
    size = scaled_size(image.shape[:2], dataclasses.replace(card, resize=rule), 1.0)
    return np.round(resize(image, size))


def window_starts(length: int, window: int, stride: float, padded: bool) -> list[int]:
    """First pixels of the windows that cover `length` pixels.

    If `padded`, the last window may reach beyond the image; otherwise it is shifted inside.
    """
    step = max(int(window * stride + 1e-6), 1)
    count = max(math.ceil((length - window) / step), 0) + 1
    last = length if padded else max(length - window, 0)
    return [min(index * step, last) for index in range(count)]


def multiples(size: tuple[int, int], multiple: int) -> tuple[int, int]:
    """The next sizes that are multiples of a number."""
    return tuple(-(-side // multiple) * multiple for side in size)


def _rounded(length):
    return max(int(length + 0.5), 1)


def pad(image: np.ndarray, size: tuple[int, int], color: np.ndarray) -> np.ndarray:
    """The image padded with `color` on its right and bottom sides to `size`."""
    if image.shape[:2] == tuple(size):
        return image
    padded = np.empty((*size, 3), np.float32)
    padded[:] = color
    padded[: image.shape[0], : image.shape[1]] = image
    return padded
