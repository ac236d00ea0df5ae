"""Records of class maps for `results.json`."""

import numpy as np

from hrnet_tf.cards.segmentation import SegmentationCard


def class_shares(
    name: str, image_id: int, labels: np.ndarray, card: SegmentationCard
) -> list[dict]:
    """The record of a picture: its classes with their shares of its pixels, largest first."""
    counts = np.bincount(labels.ravel(), minlength=len(card.classes))
    order = np.argsort(-counts, kind="stable")[: np.count_nonzero(counts)]
    classes = [
        {"index": int(i), "name": card.classes[i], "share": round(counts[i] / labels.size, 6)}
        for i in order
    ]
    return [{"labels": f"{name}.png", "classes": classes}]
