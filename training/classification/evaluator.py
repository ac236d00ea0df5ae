"""The evaluator of classification networks: top-1 and top-5 accuracy, by class, and confusion.

The middle of each picture is classified, as `ImageClassifier` cuts it: the protocol of ImageNet
(`tools/valid.py` of HRNet-Image-Classification). EXIF orientation is ignored, as in training.
Pictures that cannot be read count as missed.
"""

from pathlib import Path

import numpy as np

from hrnet_tf.cards.classification import ClassificationCard
from hrnet_tf.tasks.classification.predictor import Prediction
from hrnet_tf.training.classification.metrics import Confusion
from hrnet_tf.training.classification.options import ClassificationScoring
from hrnet_tf.training.classification.pictures import Pictures, held_out
from hrnet_tf.training.classification.readers import read
from hrnet_tf.training.data.sources import Report, to_stderr
from hrnet_tf.training.evaluate import Evaluation, Wanted

TOP = 5


class ClassificationEvaluator:
    """Scores networks on the same pictures; keeps counts and one number a picture.

    Args:
        card: the card of the networks; its classes are those of the pictures.
        scoring: the pictures.
        report: receives a line for each picture or class that is left out.

    Attributes:
        pictures: the pictures as a source of batches.
        wanted: the same pictures, to predict; their keys are numbers.

    Raises:
        OSError, ValueError: the pictures cannot be read, or have no class of the card.
    """

    def __init__(
        self, card: ClassificationCard, scoring: ClassificationScoring, report: Report = to_stderr
    ):
        self._card = card
        annotations = scoring.annotations or ""
        found = read(scoring.images, annotations, card.classes, report)
        if scoring.held_out:
            found = found[held_out(found, scoring.held_out)]
        if not len(found):
            raise ValueError(
                f"{scoring.images}: nothing is held out, no class has two pictures. Name other "
                "pictures."
            )
        self.pictures = found
        self.wanted = list(map(_wanted, range(len(found)), *places(found)))

    def reset(self, predictor) -> None:
        """Forgets all predictions."""
        self._confusion = Confusion(len(self._card.classes))
        self._best = np.full(len(self.pictures), -1, np.int32)
        self._sure = np.zeros(len(self.pictures), np.float32)

    def add(self, key: int, predictions: list[Prediction]) -> None:
        """Adds the most probable classes of a picture, best first."""
        label = int(self.pictures.rows["label"][key])
        self._confusion.add(label, [each.index for each in predictions[:TOP]])
        self._best[key], self._sure[key] = predictions[0].index, predictions[0].probability

    def finish(self) -> Evaluation:
        """Accuracies; pictures without a prediction count as missed."""
        confusion, names = self._confusion, self._card.classes
        for key in np.flatnonzero(self._best < 0):
            confusion.add(int(self.pictures.rows["label"][key]), [])
        top = min(TOP, len(names) - 1)
        return Evaluation(
            confusion.numbers(top if top == TOP else 1),
            main=("top1", True),
            results=self._results(),
            tables={"per_class": confusion.per_class(names), "confusion": confusion.table(names)},
            conditions={"crop": self._card.crop_fraction},
            words=f"{len(names)} classes, middle of each picture",
        )

    def _results(self):
        rows, names = self.pictures.rows, (*self._card.classes, None)
        columns = rows["name"], rows["label"], self._best, self._sure
        return [
            {
                "image": str(name),
                "class": names[label],
                "predicted": names[best],
                "probability": round(float(sure), 6),
            }
            for name, label, best, sure in zip(*columns, strict=True)
        ]


def places(pictures: Pictures) -> tuple[np.ndarray, list[tuple[int, int]]]:
    """The files of pictures, and the part of each: first byte and number of bytes."""
    rows = pictures.rows
    parts = zip(rows["start"].tolist(), rows["length"].tolist(), strict=True)
    return rows["path"], list(parts)


def _wanted(key, path, part):
    return Wanted(key, Path(path), part=part)
