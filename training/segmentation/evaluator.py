"""The evaluator of segmentation networks: mean IoU, accuracies and a table of the classes.

All pixels of all pictures are counted in one matrix of true and predicted classes, as in `testval`
of the original (`lib/core/function.py`), so memory does not grow with the number of pictures. The
prediction has the size of the picture, and the mask its own; both must be equal. Pixels whose mask
has no class do not count.

The predictor's card says how pictures are resized for the network, its flags the scales and the
flip test. A picture or mask that cannot be read is named and not counted.
"""

import numpy as np

from hrnet_tf.cards.segmentation import SegmentationCard
from hrnet_tf.training.data.sources import Report, to_stderr
from hrnet_tf.training.evaluate import Evaluation, Evaluator, Wanted
from hrnet_tf.training.segmentation.masks import read_mask
from hrnet_tf.training.segmentation.metrics import confusion_matrix, segmentation_scores
from hrnet_tf.training.segmentation.options import SegmentationScoring
from hrnet_tf.training.segmentation.readers import Annotated, read


def evaluator(
    card: SegmentationCard,
    scoring: SegmentationScoring,
    report: Report = to_stderr,
    annotated: Annotated | None = None,
) -> Evaluator:
    """The evaluator of networks with this card.

    Args:
        card: its classes are those of the masks.
        scoring: the data and the settings.
        report: receives a line for each picture or mask that is left out.
        annotated: the pictures of `scoring`, if they have been read already.

    Raises:
        OSError, ValueError: a file cannot be read, or the classes do not fit.
    """
    if annotated is None:
        annotated = read(scoring, card, report)
    return ConfusionEvaluator(card, scoring, annotated)


class ConfusionEvaluator:
    """Counts how often each class was taken for which."""

    main = ("mIoU", True)

    def __init__(self, card: SegmentationCard, scoring: SegmentationScoring, annotated: Annotated):
        self._card, self._scoring, self._meaning = card, scoring, annotated.meaning
        self._masks = {record.image.id: record for record in annotated.records}
        images = {key: record.image for key, record in self._masks.items()}
        self.wanted = [Wanted(key, file.path, size=file.size) for key, file in images.items()]

    def reset(self, predictor) -> None:
        """Forgets all pictures; the next ones are predicted by this predictor."""
        count = len(self._card.classes)
        self.confusion = np.zeros((count, count), np.int64)
        self._problems, self._pictures = [], 0
        self._conditions = {
            "scales": list(predictor.scales),
            "flip": predictor.flip,
            "absent": self._scoring.absent,
        }

    def add(self, key: int, classes: np.ndarray) -> None:
        """Counts the pixels of one picture (H, W)."""
        record = self._masks[key]
        try:
            mask = read_mask(record.mask, self._meaning)
            self.confusion += confusion_matrix(mask, classes, len(self.confusion))
            self._pictures += 1
        except (OSError, ValueError) as error:
            name = record.image.path if isinstance(record.mask, bytes) else record.mask
            self._problems.append(f"{name} is left out: {error}.")

    def finish(self) -> Evaluation:
        """The scores of all pictures that were added."""
        scores = segmentation_scores(self.confusion, self._scoring.absent)
        pixels = self.confusion.sum()
        numbers = {
            "mIoU": scores.mean_iou,
            "pixel accuracy": scores.pixel_accuracy,
            "mean accuracy": scores.mean_accuracy,
        }
        flip = "with flip test" if self._conditions["flip"] else "without flip test"
        scales = ", ".join(f"{each:g}" for each in self._conditions["scales"])
        return Evaluation(
            numbers=numbers,
            main=self.main,
            counted={"pixels": int(pixels)},
            tables={"per_class": self._per_class(scores), "confusion": self._confusion()},
            conditions=self._conditions,
            words=f"{len(self.confusion)} classes, scale {scales}, {flip}",
            problems=tuple(self._problems),
        )

    def _per_class(self, scores):
        shares = self.confusion.sum(axis=1) / max(self.confusion.sum(), 1)
        columns = {"IoU": scores.iou, "accuracy": scores.accuracy, "share": shares}
        return {
            name: {key: float(each[i]) for key, each in columns.items() if not np.isnan(each[i])}
            for i, name in enumerate(self._card.classes)
        }

    def _confusion(self):
        """True class -> predicted class -> share of the true one's pixels, where it is not 0."""
        totals = np.maximum(self.confusion.sum(axis=1), 1)
        names = self._card.classes
        return {
            name: {
                names[j]: float(self.confusion[i, j] / totals[i])
                for j in np.flatnonzero(self.confusion[i])
            }
            for i, name in enumerate(names)
        }
