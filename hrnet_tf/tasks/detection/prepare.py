"""From an image to the input of a detector."""

from typing import NamedTuple

import numpy as np
from keras import ops

from hrnet_tf.cards.detection import DetectionCard
from hrnet_tf.media.images import check_image
from hrnet_tf.media.resize import resize_8bit


class Prepared(NamedTuple):
    """An image as a detector takes it.

    Attributes:
        pixels: (H, W, 3) float32, normalized, padded with 0 on its right and bottom sides.
        size: (height, width) of the image in it.
        scale: (2,) float32, its pixels per pixel of the original image, for x and y.
        original: (height, width) of the original image.
    """

    pixels: np.ndarray
    size: tuple[int, int]
    scale: np.ndarray
    original: tuple[int, int]


def prepare(
    image: np.ndarray, card: DetectionCard, fixed: tuple[int, int] | None = None
) -> Prepared:
    """Scales an image to the card's `sides`, normalizes and pads it.

    Args:
        image: (H, W, 3) uint8 RGB.
        card: how to do it.
        fixed: (height, width) of a network that takes no other; the image is fitted into it.

    Raises:
        ValueError: the image has another shape or type.
    """
    image = check_image(image)
    original, factor = image.shape[:2], scale_factor(image.shape[:2], card, fixed)
    size = tuple(max(int(side * factor + 0.5), 1) for side in original)
    padded = fixed or tuple(
        max(-(-side // card.multiple) * card.multiple, least)
        for side, least in zip(size, card.padded, strict=True)
    )
    pixels = np.zeros((*padded, 3), np.float32)
    scaled = card.normalize(resize_8bit(image, size))
    pixels[: size[0], : size[1]] = ops.convert_to_numpy(scaled)
    scale = np.float32([size[1] / original[1], size[0] / original[0]])
    if card.geometry == "inclusive":  # mmdetection 1 divides boxes by the unrounded factor
        scale = np.float32([factor, factor])
    return Prepared(pixels, size, scale, original)


def scale_factor(
    size: tuple[int, int], card: DetectionCard, fixed: tuple[int, int] | None = None
) -> float:
    """The factor by which an image of this (height, width) is scaled, to fit the card's `sides`.

    A network of the size `fixed` limits it further.
    """
    (long, short), (most, least) = (max(size), min(size)), (max(card.sides), min(card.sides))
    factor = min(most / long, least / short)
    return factor if fixed is None else min(factor, fixed[0] / size[0], fixed[1] / size[1])
