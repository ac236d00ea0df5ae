"""Metrics of classification: top-1, top-5, and the confusion of classes."""

from collections.abc import Sequence

import numpy as np

DENSE = 100  # classes


class Confusion:
    """Counts predictions by true and predicted class; its size does not depend on their number.

    Attributes:
        counts: (C, C + 1) int64: true class, predicted class; the last column counts pictures
            without a prediction.
        among: (C,) int64: pictures whose class was among the best `top` predictions.
    """

    def __init__(self, classes: int):
        self.counts = np.zeros((classes, classes + 1), np.int64)
        self.among = np.zeros(classes, np.int64)

    def add(self, truth: int, best: Sequence[int]) -> None:
        """Adds a picture with its most probable classes, best first; none count as missed."""
        self.counts[truth, best[0] if len(best) else -1] += 1
        self.among[truth] += truth in best

    def numbers(self, top: int) -> dict[str, float]:
        """Shares of all pictures: `top1`, `topN`, and `mean_class`, the mean recall of classes.

        Classes without a picture do not count in `mean_class`.
        """
        images = self.counts.sum(axis=1)
        seen, right = images > 0, np.diagonal(self.counts)
        numbers = {"top1": right.sum() / images.sum()}
        if top > 1:
            numbers[f"top{top}"] = self.among.sum() / images.sum()
        numbers["mean_class"] = (right[seen] / images[seen]).mean()
        return {name: float(number) for name, number in numbers.items()}

    def per_class(self, names: Sequence[str]) -> dict[str, dict[str, float]]:
        """Name -> `images`; `recall`, the share that was recognized; `precision`; `F1`."""
        table = {}
        predicted = self.counts[:, :-1].sum(axis=0)
        for number, name in enumerate(names):
            images, right = int(self.counts[number].sum()), int(self.counts[number, number])
            row = table[name] = {"images": images}
            if images:
                row["recall"] = right / images
            if predicted[number]:
                row["precision"] = right / int(predicted[number])
            if images + predicted[number]:
                row["F1"] = 2 * right / int(images + predicted[number])
        return table

    def table(self, names: Sequence[str]) -> dict[str, dict[str, int]]:
        """True class -> predicted class -> number of pictures.

        With more than `DENSE` classes, numbers of 0 are left out.
        """
        columns, dense = [*names, "(none)"], len(names) <= DENSE
        shown = self.counts.any(axis=0)
        return {
            name: {columns[i]: int(row[i]) for i in np.flatnonzero(shown if dense else row)}
            for name, row in zip(names, self.counts, strict=True)
        }
