"""What can be told to detectors and of the boxes of people: data without Keras."""

from dataclasses import dataclass, field

SHARE = {"least": 0, "most": 1}  # bounds of scores and overlaps


@dataclass(frozen=True)
class DetectionOptions:
    """How objects are found.

    Attributes:
        score_threshold: lowest score of a box (default: that of the network's card).
        classes: names of the classes to find, with commas (default: all).
        most: highest number of objects in a picture (default: the card's).
        masks: find the masks of objects, if the network can.

    Raises:
        ValueError: a number out of range.
    """

    score_threshold: float | None = field(default=None, metadata=SHARE)
    classes: tuple[str, ...] | None = None
    most: int | None = field(default=None, metadata={"least": 1})
    masks: bool = True

    def __post_init__(self):
        score, most = self.score_threshold, self.most
        if (score is not None and not 0 <= score <= 1) or (most is not None and most < 1):
            raise ValueError(
                "`score_threshold` must be within 0..1, `most` 1 or more, or None for the card's. "
                f"Received: score_threshold={score}, most={most}."
            )


@dataclass(frozen=True)
class DetectionDrawing:
    """Which objects are drawn.

    Attributes:
        draw_threshold: pictures and videos show objects of this score or a higher one;
            results.json has all above --score_threshold.
    """

    draw_threshold: float = field(default=0.3, metadata=SHARE)


@dataclass(frozen=True)
class DetectionFiles:
    """What is written besides pictures and `results.json`.

    Attributes:
        csv: also results.csv, a line per person or object.
    """

    csv: bool = False


@dataclass(frozen=True)
class FollowOptions:
    """How objects are followed through videos.

    Attributes:
        show: video: show it in a window while it is predicted (default: cameras, where
            there is a screen).
    """

    show: bool | None = None


@dataclass(frozen=True)
class Choice:
    """Which boxes of people count.

    Attributes:
        score_threshold: lowest score of a box (default: 0.3 for boxes of people, for objects that
            of the network's card, often 0.05).
        nms: IoU above which two boxes are one person.
        max_persons: highest number of persons in a picture, best boxes first (default: all).
        min_size: pixels that the longer side of a box must have.

    Raises:
        ValueError: a number out of range.
    """

    score_threshold: float = 0.3
    nms: float = field(default=0.6, metadata=SHARE)
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
        detector: none, a detection preset (see `hrnet-tf models`), a .keras, .tflite or .onnx file
            or a KerasHub preset (default: dfine_nano_coco if it can be had).
        boxes: COCO json with annotations or detections instead.
        person_class: the detector's class of people, if it is an unusual one.
    """

    detector: str | None = None
    boxes: str | None = None
    person_class: int | None = field(default=None, metadata={"least": 0})


OPTIONS, FILES = DetectionOptions, DetectionFiles
VIDEO, DRAWING = FollowOptions, DetectionDrawing
