"""Maps of classes as records."""

import numpy as np

from hrnet_tf.tasks.segmentation.card import SegmentationCard


def class_shares(
    name: str, image_id: int, labels: np.ndarray, card: SegmentationCard
) -> list[dict]:
    """The classes of a picture, largest first, with their shares of its pixels."""
    counts = np.bincount(labels.ravel(), minlength=len(card.classes))
    order = np.argsort(-counts, kind="stable")[: np.count_nonzero(counts)]
    classes = [
        {"index": int(i), "name": card.classes[i], "share": round(counts[i] / labels.size, 6)}
        for i in order
    ]
    return [{"labels": f"{name}.png", "classes": classes}]
