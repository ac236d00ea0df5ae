"""How a classification network is scored, as data; without Keras, so that flags answer at once."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class ClassificationScoring:
    """What a classification network is scored on; `training.classification.evaluator` explains.

    Attributes:
        annotations: a list of pictures and their classes, if folders do not tell them.
        images: folder of the annotated pictures: a folder for each class, or with a list all
            pictures in one folder or TAR.
        held_out: this share of each class's pictures alone, those that training has held out.

    Raises:
        ValueError: no such share.
    """

    annotations: str = ""
    images: str = ""
    held_out: float = field(default=0.0, metadata={"least": 0.0, "most": 1.0})

    def __post_init__(self):
        if not 0 <= self.held_out < 1:
            raise ValueError(
                f"`held_out` must be at least 0 and below 1. Received: held_out={self.held_out}."
            )

    def options(self) -> dict:
        """What the predictor is told: five classes, for the top-5 accuracy."""
        return {"top": 5}


SCORING = ClassificationScoring
TABLES = {
    "per_class": "print a table of the classes, too",
    "confusion": "print how often each class was taken for which, too",
}  # of evaluations, as flags
