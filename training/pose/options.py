"""How a pose network is scored, as data; without Keras, so that flags and help answer at once."""

from dataclasses import dataclass, field

from hrnet_tf.names import check_choice

FORMATS = ("coco", "mpii", "landmarks")  # names of `readers.READERS`
PROTOCOLS = ("original", "annotated")


@dataclass(frozen=True)
class PoseScoring:
    """What a pose network is scored on, and how; `training.pose.evaluator` explains the numbers.

    Attributes:
        annotations: the annotation file.
        images: folder of the annotated pictures.
        data_format: format of the annotations.
        category: name or id of the category to score, if the annotations have several.
        ground_truth: MPII: gt_valid.mat, if not beside the annotations.
        detections: boxes of a detector instead of annotated ones.
        score_threshold: lowest score of a detector's box (default: 0, for objects that of the
            network's card).
        protocol: how to score.
        flip: average with the mirrored picture (default: but for landmarks).

    Raises:
        ValueError: no such format or protocol.
    """

    annotations: str
    images: str
    data_format: str = field(default="coco", metadata={"choices": FORMATS})
    category: str | None = field(default=None, metadata={"only": ("data_format", ("coco",))})
    ground_truth: str | None = field(default=None, metadata={"only": ("data_format", ("mpii",))})
    detections: str | None = None
    score_threshold: float = field(default=0.0, metadata={"only": ("detections", None)})
    protocol: str = field(default="original", metadata={"choices": PROTOCOLS})
    flip: bool | None = None

    def __post_init__(self):
        check_choice("protocol", self.protocol, PROTOCOLS)
        check_choice("data_format", self.data_format, FORMATS)

    def options(self) -> dict:
        """What the predictor is told: the original face tools have no flip test, all others do."""
        return {"flip": self.data_format != "landmarks" if self.flip is None else self.flip}


SCORING = PoseScoring
TABLES = {"per_keypoint": "print a table of the keypoints, too"}  # of evaluations, as flags
