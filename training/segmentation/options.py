"""How a segmentation network is scored, as data; without Keras, so that help answers at once."""

from dataclasses import dataclass, field

from hrnet_tf.names import check_choice

FORMATS = (
    "masks",
    "cityscapes",
    "cityscapes_train_ids",
    "pascal_context",
    "pascal_context_60",
    "lip",
    "ade20k",
    "coco_stuff",
    "coco_stuff_train_ids",
    "voc",
    "coco_instances",
)  # names of `readers.READERS`
ENCODINGS = ("index", "binary", "color")
ABSENT = ("zero", "left_out")
# Other fields with which some have an effect; see `fields.misplaced`.
MASKS, COLOR = ("labels", ("masks",)), ("encoding", ("color",))


@dataclass(frozen=True)
class SegmentationScoring:
    """What a segmentation network is scored on; `training.segmentation.evaluator` has the numbers.

    Attributes:
        annotations: folder of masks, a list of pictures and masks, or COCO instances.
        images: folder of the annotated pictures; of lists, the folder their lines start from.
        labels: layout and numbers of the masks.
        encoding: what pixels of `masks` are: class numbers, black and white, or classes' colours.
        ignore_label: number in `masks` of pixels without a class; -1: none.
        ignore_color: red, green and blue of pixels without a class, for the encoding `color`.
        absent: classes that occur nowhere count as 0 in the mean, as in the original, or are left
            out of it, as by OpenMMLab.

    Raises:
        ValueError: no such labels or encoding.
    """

    annotations: str
    images: str
    labels: str = field(default="masks", metadata={"choices": FORMATS})
    encoding: str = field(default="index", metadata={"choices": ENCODINGS, "only": MASKS})
    ignore_label: int = field(default=-1, metadata={"only": MASKS})
    ignore_color: tuple[int, ...] = field(default=(), metadata={"only": COLOR})
    absent: str = field(default="zero", metadata={"choices": ABSENT})

    def __post_init__(self):
        check_choice("labels", self.labels, FORMATS)
        check_choice("encoding", self.encoding, ENCODINGS)
        check_choice("absent", self.absent, ABSENT)

    def options(self) -> dict:
        """What the predictor is told besides its own flags."""
        return {}


SCORING = SegmentationScoring
TABLES = {
    "per_class": "print a table of the classes, too",
    "confusion": "print how often each class was taken for which, too",
}  # of evaluations, as flags
