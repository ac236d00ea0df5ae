"""Which boxes of people count, and where they come from: data without Keras."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Choice:
    """Which boxes of a detector count.

    Attributes:
        score_threshold: lowest score of a box.
        nms: IoU above which two boxes are one person.
        max_persons: highest number of persons in a picture, best boxes first (default: all).
        min_size: pixels that the longer side of a box must have.

    Raises:
        ValueError: a number out of range.
    """

    score_threshold: float = 0.3
    nms: float = field(default=0.6, metadata={"least": 0, "most": 1})
    max_persons: int | None = field(default=None, metadata={"least": 1})
    min_size: float = field(default=0.0, metadata={"least": 0})

    def __post_init__(self):
        most = self.max_persons
        if not 0 <= self.nms <= 1 or self.min_size < 0 or (most is not None and most < 1):
            raise ValueError(
                "`nms` must be within 0..1, `min_size` 0 or more, `max_persons` 1 or more or None. "
                f"Received: nms={self.nms}, min_size={self.min_size}, max_persons={most}."
            )


@dataclass(frozen=True)
class PeopleOptions:
    """Where the boxes of people come from.

    Attributes:
        detector: none, a .tflite file or a KerasHub preset (default: dfine_nano_coco if it can be
            had).
        boxes: COCO json with annotations or detections instead.
        person_class: the detector's class of people, if it is an unusual one.
    """

    detector: str | None = None
    boxes: str | None = None
    person_class: int | None = field(default=None, metadata={"least": 0})
