"""Maps of classes on pictures."""

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageFilter

from hrnet_tf.labels.classes import Color
from hrnet_tf.tasks.drawing import legend


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
        labels: (H, W) indices of `classes`; others, such as 255 for ignored, stay unpainted.
        classes: names.
        palette: RGB 0..255, one per class.
        alpha: how much of the colour covers the picture, 0..1.
        least_share: classes with a smaller share of the picture are not in the legend.

    Returns:
        (H + legend, W, 3) uint8 RGB.
    """
    known = labels < len(classes)
    colors = np.array([*palette, (0, 0, 0)], np.float32)[np.where(known, labels, len(classes))]
    cover = (alpha * known).astype(np.float32)[..., None]
    painted = image * (1 - cover) + colors * cover
    painted *= 1 - 0.65 * _edges(labels)[..., None]
    painted = np.round(painted).astype(np.uint8)
    shares = np.bincount(labels[known], minlength=len(classes)) / labels.size
    present = [i for i in np.argsort(-shares, kind="stable") if shares[i] >= least_share]
    entries = [(classes[i], tuple(palette[i])) for i in present]
    return np.concatenate([painted, legend(entries, image.shape[1], max(image.shape[:2]))])


def label_picture(labels: np.ndarray, palette: Sequence[Color]) -> Image.Image:
    """A map of classes as a picture whose pixel values are the indices and whose colours show them.

    Args:
        labels: (H, W) uint8, or uint16, which a picture holds as grey levels without colours.
        palette: RGB 0..255, one per class.
    """
    picture = Image.fromarray(labels)
    if labels.dtype == np.uint8:
        picture.putpalette([level for color in palette[:256] for level in color])
    return picture


def _edges(labels):
    """1 where a class meets another, 0 elsewhere, softly in between; wider in large pictures."""
    edge = np.zeros(labels.shape, bool)
    edge[:, 1:] |= labels[:, 1:] != labels[:, :-1]
    edge[1:] |= labels[1:] != labels[:-1]
    grow = round(0.0005 * max(labels.shape))
    mask = Image.fromarray(edge.astype(np.uint8) * 255)
    return np.asarray(mask.filter(ImageFilter.MaxFilter(2 * grow + 1)), np.float32) / 255
