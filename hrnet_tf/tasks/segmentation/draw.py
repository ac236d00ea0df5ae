"""Drawings of class maps over pictures."""

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageFilter

from hrnet_tf.labels.classes import Color
from hrnet_tf.tasks.drawing import legend

WRONG = (214, 48, 49)  # of pixels with another class than the true one


def draw_classes(
    image: np.ndarray,
    labels: np.ndarray,
    classes: Sequence[str],
    palette: Sequence[Color],
    alpha: float = 0.55,
    least_share: float = 0.001,
) -> np.ndarray:
    """Draws a map of classes over a copy of a picture, with outlines, and a legend below it.

    Args:
        image: (H, W, 3) uint8 RGB.
        labels: (H, W) indices of `classes`; pixels with others, such as 255, are not painted.
        classes: names of the classes.
        palette: RGB 0..255, one per class.
        alpha: opacity of the colours, 0..1.
        least_share: classes with a smaller share of the picture are not in the legend.

    Returns:
        (H + legend, W, 3) uint8 RGB.
    """
    drawn, known = painted(image, labels, palette, alpha), labels < len(classes)
    shares = np.bincount(labels[known], minlength=len(classes)) / labels.size
    present = [i for i in np.argsort(-shares, kind="stable") if shares[i] >= least_share]
    entries = [(classes[i], tuple(palette[i])) for i in present]
    return np.concatenate([drawn, legend(entries, image.shape[1], max(image.shape[:2]))])


def painted(
    image: np.ndarray, labels: np.ndarray, palette: Sequence[Color], alpha: float = 0.55
) -> np.ndarray:
    """A copy of a picture (H, W, 3) under the colours of its classes (H, W), with outlines."""
    known = labels < len(palette)
    colors = np.array([*palette, (0, 0, 0)], np.float32)[np.where(known, labels, len(palette))]
    cover = (alpha * known).astype(np.float32)[..., None]
    drawn = image * (1 - cover) + colors * cover
    drawn *= 1 - 0.65 * _edges(labels)[..., None]
    return np.round(drawn).astype(np.uint8)


def draw_difference(
    image: np.ndarray, truth: np.ndarray, found: np.ndarray, ignored: int
) -> np.ndarray:
    """The picture in pale grey, red where classes differ, dark where the truth is unknown.

    Args:
        image: (H, W, 3) uint8 RGB.
        truth: (H, W) true classes.
        found: (H, W) predicted classes.
        ignored: the value of `truth` where it is unknown.
    """
    drawn = np.repeat(128 + image.mean(axis=-1, keepdims=True) / 2, 3, axis=-1)
    unknown = truth == ignored
    drawn[(truth != found) & ~unknown] = WRONG
    drawn[unknown] *= 0.35
    return np.round(drawn).astype(np.uint8)


def label_picture(labels: np.ndarray, palette: Sequence[Color]) -> Image.Image:
    """A class map as a picture: pixel values are the class indices, the palette colours them.

    Args:
        labels: (H, W) uint8, or uint16; a uint16 picture has no palette and shows grey levels.
        palette: RGB 0..255, one per class.
    """
    picture = Image.fromarray(labels)
    if labels.dtype == np.uint8:
        picture.putpalette([level for color in palette[:256] for level in color])
    return picture


def _edges(labels):
    """1 at the borders between classes, 0 elsewhere; borders are wider in large pictures."""
    edge = np.zeros(labels.shape, bool)
    edge[:, 1:] |= labels[:, 1:] != labels[:, :-1]
    edge[1:] |= labels[1:] != labels[:-1]
    grow = round(0.0005 * max(labels.shape))
    mask = Image.fromarray(edge.astype(np.uint8) * 255)
    return np.asarray(mask.filter(ImageFilter.MaxFilter(2 * grow + 1)), np.float32) / 255
