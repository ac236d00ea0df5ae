"""How a detector is scored, as data; without Keras, so that flags and help answer at once."""

from dataclasses import dataclass


@dataclass(frozen=True)
class DetectionScoring:
    """What a detector is scored on; `training.detection.evaluator` explains the numbers.

    Attributes:
        annotations: annotated objects, such as instances_val2017.json, or a folder of VOC or YOLO.
        images: folder of the annotated pictures.
        results: objects in COCO's results format, a results.json, to score without a network.
        classes: names of the classes to score, with commas (default: all).

    Raises:
        ValueError: there are neither pictures nor results.
    """

    annotations: str
    images: str = ""
    results: str | None = None
    classes: tuple[str, ...] | None = None

    def __post_init__(self):
        if bool(self.images) == bool(self.results):
            raise ValueError(
                "`images` must be a folder to predict, or `results` a file to score, not both. "
                f"Received: images={self.images!r}, results={self.results!r}."
            )

    def options(self) -> dict:
        """What the predictor is told: nothing that its own flags do not say."""
        return {}


SCORING = DetectionScoring
TABLES = {"per_class": "print a table of the classes, too"}  # of evaluations, as flags
