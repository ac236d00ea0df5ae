"""Pictures of crops, masks and predictions, for HTML pages and TensorBoard."""

import numpy as np

from hrnet_tf.cards.segmentation import SegmentationCard
from hrnet_tf.labels.label_values import IGNORED
from hrnet_tf.media.resize import resize
from hrnet_tf.tasks.segmentation.draw import draw_difference, painted

LOGITS = "logits"


def panels(card: SegmentationCard, crops: np.ndarray, targets, outputs) -> list[np.ndarray]:
    """For each crop a picture of four panels: the crop, its classes, the prediction, what differs.

    Args:
        card: the network's card.
        crops: (B, H, W, 3), normalised.
        targets: classes (B, H, W), or a dict with "logits" of them.
        outputs: logits (B, h, w, C), or a dict with "logits".

    Returns:
        B pictures (H, 4 W, 3) uint8.
    """
    truth, logits = (x[LOGITS] if isinstance(x, dict) else x for x in (targets, outputs))
    size = truth.shape[1:3]
    return [
        side_by_side(
            crop, classes, resize(each, size, card.align_corners).argmax(axis=-1), card.palette
        )
        for crop, classes, each in zip(card.denormalize(crops), truth, logits, strict=True)
    ]


def side_by_side(image: np.ndarray, truth: np.ndarray, found: np.ndarray, palette) -> np.ndarray:
    """A picture (H, W, 3), its true classes (H, W), the predicted ones, and where they differ."""
    found = found.astype(np.uint8)
    parts = image, painted(image, truth, palette), painted(image, found, palette)
    return np.concatenate([*parts, draw_difference(image, truth, found, IGNORED)], axis=1)
