"""The evaluator of detectors: COCO's twelve numbers of boxes, and of masks where there are masks.

Numbers are those of pycocotools. Objects with `iscrowd` are neither missed nor wrong to find, and
images without objects count for false detections. Ids may be of any kind: scoring has its own.
Bad entries are named and left out, and the rest is scored. EXIF turns an image where only the
turned one has its annotated size; see `sources.read_annotated`.

Objects come from a network, or from a file of anybody in COCO's results format.
"""

from collections.abc import Sequence
from pathlib import Path

from hrnet_tf.cards.detection import DetectionCard
from hrnet_tf.files import existing
from hrnet_tf.tasks.detection.detections import Detections
from hrnet_tf.tasks.detection.results import coco_results
from hrnet_tf.tasks.task import Predictor
from hrnet_tf.training.data.coco_json import CocoFile, image_files, listed_images, read_coco_json
from hrnet_tf.training.data.sources import Report, to_stderr
from hrnet_tf.training.detection.annotations import read_annotations
from hrnet_tf.training.detection.categories import chosen, matched
from hrnet_tf.training.detection.metrics import coco_numbers
from hrnet_tf.training.detection.options import DetectionScoring
from hrnet_tf.training.detection.results_file import read_results
from hrnet_tf.training.detection.truth import Truth, read_truth
from hrnet_tf.training.evaluate import Evaluation, Wanted

# Kind of pycocotools, field of an object, end of the names of the numbers.
PARTS = (("bbox", "bbox", ""), ("segm", "segmentation", " mask"))


def evaluator(
    card: DetectionCard | None,
    scoring: DetectionScoring,
    report: Report = to_stderr,
    coco: CocoFile | None = None,
) -> "NetworkEvaluator | ResultsEvaluator":
    """The evaluator of a network, or of the results file that `scoring` names.

    Args:
        card: the card of the networks to evaluate; not needed for a results file.
        scoring: the data and the settings.
        report: receives a line for each image, annotation or result that is left out.
        coco: the annotations of `scoring`, if they have been parsed already.

    Raises:
        OSError, ValueError: a file cannot be read, or networks with this card cannot be scored on
            it.
    """
    if scoring.results:
        return ResultsEvaluator(card, scoring, report)
    return NetworkEvaluator(card, scoring, report, coco)


class _Evaluator:
    """Base class: scores entries of COCO's results format, whose ids are the file's."""

    main = ("AP", True)
    _truth: Truth

    def _scored(self, records: Sequence[dict], masks: bool, **facts) -> Evaluation:
        truth, table, numbers = self._truth, _counts(self._truth), {}
        objects = [_numbered(record, truth) for record in records]
        parts = PARTS[: 2 if masks and truth.masks else 1]
        for kind, part, suffix in parts:
            given = [each for each in truth.annotations if part in each]
            found = [each for each in objects if part in each]
            counts = len(truth.images), len(truth.names)
            everything, rows = coco_numbers(given, found, *counts, kind)
            numbers |= {name + suffix: number for name, number in everything.items()}
            for row, scores in zip(table.values(), rows, strict=True):
                if row["objects"]:
                    row |= {name + suffix: number for name, number in scores.items()}
        return Evaluation(
            numbers,
            main=self.main,
            further=tuple(f"AP{suffix}" for _, _, suffix in parts[1:]),
            results=records,
            counted={"objects": len(records)},
            tables={"per_class": table},
            **facts,
        )


class NetworkEvaluator(_Evaluator):
    """Scores what a network finds in the images; raises as `evaluator`."""

    def __init__(
        self,
        card: DetectionCard,
        scoring: DetectionScoring,
        report: Report,
        coco: CocoFile | None = None,
    ):
        path, folder = Path(scoring.annotations), Path(scoring.images)
        if coco is None:
            coco, folder = read_annotations(path, folder, report)
        truth = chosen(read_truth(coco, report), scoring.classes, path)
        self._truth, self._numbers = matched(truth, card, path)
        self.wanted = _images(self._truth, coco, folder, report)
        if not self.wanted:
            raise ValueError(
                f"No image of {path} in {folder} can be predicted. Do the files belong together?"
            )

    def reset(self, predictor: Predictor) -> None:
        """Forgets all objects; the next calls of `add` are for this predictor."""
        self._predictor, self._records, self._masks = predictor, [], False

    def add(self, key: int, found: Detections) -> None:
        """Adds the objects of the image of this number."""
        self._masks |= found.masks is not None
        records = coco_results(self._truth.image_ids[key - 1], found, self._predictor.card)
        for index, record in zip(found.classes, records, strict=True):
            if (number := self._numbers.get(int(index))) is not None:
                category_id = self._truth.category_ids[number - 1]
                self._records.append({**record, "category_id": category_id})

    def finish(self) -> Evaluation:
        """Scores the objects; the table has a row for each class."""
        predictor = self._predictor
        settings = {"score_threshold": predictor.score_threshold, "most": predictor.most}
        words = (
            f"objects above a score of {settings['score_threshold']:g}, at most "
            f"{settings['most']} in a picture"
        )
        return self._scored(self._records, self._masks, conditions=settings, words=words)


class ResultsEvaluator(_Evaluator):
    """Scores a file of results; raises as `evaluator`. There is nothing to predict."""

    wanted = ()

    def __init__(self, card: DetectionCard | None, scoring: DetectionScoring, report: Report):
        coco = read_coco_json(existing(scoring.annotations), report)
        listed_images(coco, report, named=False)  # reports bad images
        everything = read_truth(coco, report)
        self._truth = chosen(everything, scoring.classes, coco.path)
        self._path = Path(scoring.results)
        self._records = [
            each
            for each in read_results(self._path, everything, report)
            if each["category_id"] in self._truth.categories
        ]

    def reset(self, predictor: Predictor | None) -> None:
        """Nothing is forgotten: the file does not change."""

    def add(self, key, found) -> None:
        """Is never called."""

    def finish(self) -> Evaluation:
        """Scores the objects of the file; the table has a row for each class."""
        masks = any("segmentation" in each for each in self._records)
        words, images = f"objects of {self._path}", len(self._truth.images)
        return self._scored(self._records, masks, words=words, images=images)


def _numbered(record, truth):
    """A record with the numbers of its image and category in place of the file's ids."""
    image = truth.images[record["image_id"]]
    category = truth.categories[record["category_id"]]
    return {**record, "image_id": image, "category_id": category}


def _counts(truth):
    """The table of the classes with their numbers of objects, without crowds."""
    counts = dict.fromkeys(range(1, len(truth.names) + 1), 0)
    for each in truth.annotations:
        counts[each["category_id"]] += not each["iscrowd"]
    names = [
        name if truth.names.count(name) == 1 else f"{name} ({truth.category_ids[row]})"
        for row, name in enumerate(truth.names)
    ]
    return {name: {"objects": counts[number]} for number, name in enumerate(names, 1)}


def _images(truth, coco, folder, report):
    """The images to predict, in the order of their numbers; one that is missing is reported."""
    files, _ = image_files(coco, folder, report)
    return [
        Wanted(number, files[key].path, size=files[key].size)
        for key, number in truth.images.items()
        if key in files
    ]
