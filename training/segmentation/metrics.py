"""Segmentation metrics: confusion matrix, intersection over union, accuracies.

They follow `get_confusion_matrix` (`lib/utils/utils.py`) and `testval` (`lib/core/function.py`) of
the original repository (HRNet/HRNet-Semantic-Segmentation). All arithmetic is float64, as there.
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class SegmentationScores:
    """The scores of a confusion matrix, as fractions.

    Attributes:
        iou: (C,) intersection over union of each class; 0, or NaN if it is left out, for a class
            that is neither labelled nor predicted.
        accuracy: (C,) share of the class's pixels that are correct; 0 or NaN for one that is not
            labelled.
        mean_iou: mean over all classes, or those that are not left out.
        pixel_accuracy: share of correct pixels; NaN if there are no pixels.
        mean_accuracy: mean of `accuracy`, as `mean_iou`.
    """

    iou: np.ndarray
    accuracy: np.ndarray
    mean_iou: float
    pixel_accuracy: float
    mean_accuracy: float


def confusion_matrix(
    labels: np.ndarray, predictions: np.ndarray, num_classes: int, ignore_label: int = 255
) -> np.ndarray:
    """Counts pixels by true class (row) and predicted class (column); matrices can be added.

    Args:
        labels: true classes, of any shape.
        predictions: predicted classes, of the same shape.
        num_classes: C.
        ignore_label: pixels with this label do not count.

    Returns:
        (C, C) int64.

    Raises:
        ValueError: the shapes differ, or a class is outside 0..C-1.
    """
    labels, predictions = np.asarray(labels), np.asarray(predictions)
    if labels.shape != predictions.shape:
        raise ValueError(
            "`labels` and `predictions` must have one shape. Received: "
            f"labels.shape={labels.shape}, predictions.shape={predictions.shape}. "
            "Resize the logits to the labels before the argmax."
        )
    counted = labels != ignore_label
    labels, predictions = labels[counted].astype("int64"), predictions[counted].astype("int64")
    for name, classes in (("labels", labels), ("predictions", predictions)):
        if classes.size and not 0 <= classes.min() <= classes.max() < num_classes:
            raise ValueError(
                f"`{name}` must be classes from 0 to {num_classes - 1}. Received: {classes.min()} "
                f"to {classes.max()}. Map the file's ids to the classes that are trained, and give "
                "`ignore_label`."
            )
    pairs = np.bincount(labels * num_classes + predictions, minlength=num_classes**2)
    return pairs.reshape(num_classes, num_classes)


def segmentation_scores(confusion: np.ndarray, absent: str = "zero") -> SegmentationScores:
    """Scores of a confusion matrix (C, C), true classes in rows.

    With `absent="zero"` a class that occurs nowhere has 0 and counts in the means, as in the
    original; with "left_out" it has NaN and does not count, as in OpenMMLab's `IoUMetric`.
    """
    confusion = np.asarray(confusion, "float64")
    right, true, found = np.diag(confusion), confusion.sum(1), confusion.sum(0)
    union = true + found - right
    nothing = 0.0 if absent == "zero" else np.nan
    iou = np.where(union > 0, right / np.maximum(1.0, union), nothing)
    accuracy = np.where(true > 0, right / np.maximum(1.0, true), nothing)
    total = true.sum()
    return SegmentationScores(
        iou=iou,
        accuracy=accuracy,
        mean_iou=_mean(iou),
        pixel_accuracy=float(right.sum() / total) if total else float("nan"),
        mean_accuracy=_mean(accuracy),
    )


def _mean(values):
    """The mean of the values that are not NaN; NaN if all are."""
    values = values[~np.isnan(values)]
    return float(values.mean()) if len(values) else float("nan")
