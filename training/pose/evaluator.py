"""Evaluators of pose networks, by the kind of annotations and keypoints.

| data_format | keypoints      | numbers                                      |
| ----------- | -------------- | -------------------------------------------- |
| coco        | with sigmas    | OKS average precision                        |
| coco        | without sigmas | PCK at 0.2 of the box, AUC 0..30 pixels, EPE |
| mpii        | MPII's         | PCKh at 0.5 and 0.1; PCK without gt_valid    |
| landmarks   | faces          | NME, failure rates, AUC                      |

The `original` protocol clips COCO's annotated boxes to their images, or takes all boxes of
`detections` as they are, and suppresses double poses by OKS above 0.9 (`lib/dataset/coco.py` of Sun
et al. CVPR 2019). For the codec `face` it truncates keypoints as the original face tools do. The
`annotated` protocol takes annotated boxes without change, and neither suppresses nor truncates.
Both ignore the EXIF orientation of images, and score a person by its box's score times the mean of
the keypoint scores above 0.2. Flip test, codec and padding are the predictor's; the original
evaluates faces without flip test.

A network with more keypoints than a COCO file names is scored on those of the file.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from keras import ops

from hrnet_tf.cards.pose import PoseCard
from hrnet_tf.labels.keypoint_sets import COCO_WHOLEBODY
from hrnet_tf.labels.keypoints import KeypointSet, plain_name
from hrnet_tf.tasks.detection.box_files import read_boxes
from hrnet_tf.tasks.pose import geometry
from hrnet_tf.tasks.pose.predictor import Pose, PosePredictor
from hrnet_tf.tasks.pose.results import coco_result
from hrnet_tf.training.data.sources import Note, Report, to_stderr
from hrnet_tf.training.evaluate import Evaluator, Wanted, by_reason
from hrnet_tf.training.pose.diagnosis import diagnosis
from hrnet_tf.training.pose.oks_metrics import (
    WHOLE_BODY_PARTS,
    ground_truth,
    oks_nms,
    score,
    whole_body_ap,
)
from hrnet_tf.training.pose.options import PoseScoring
from hrnet_tf.training.pose.point_evaluators import (
    DistanceEvaluator,
    FaceEvaluator,
    HeadEvaluator,
    PoseEvaluator,
    scored_people,
    truth_beside,
)
from hrnet_tf.training.pose.readers import Annotations, check_names, read, usable
from hrnet_tf.training.pose.readers.categories import keypoint_names
from hrnet_tf.training.pose.readers.coco import Record
from hrnet_tf.training.pose.readers.doubts import doubts

NMS_THRESHOLD = 0.9


def evaluator(
    card: PoseCard,
    scoring: PoseScoring,
    report: Report = to_stderr,
    annotations: Annotations | None = None,
) -> Evaluator:
    """The evaluator of a kind of data and keypoints.

    Args:
        card: the card of the networks to evaluate.
        scoring: the data and the settings.
        report: receives a line for each person or image that is left out.
        annotations: what `read_scored` gives, if they have been read already.

    Raises:
        OSError, ValueError: a file cannot be read, or networks with this card cannot be scored on
            it.
    """
    similarity = scoring.data_format == "coco" and card.keypoints.sigmas is not None
    if scoring.detections and (scoring.protocol == "annotated" or not similarity):
        raise ValueError(
            "`detections` go with protocol='original' and keypoints that have sigmas; all else "
            f"takes the boxes of the annotations. Received: detections={str(scoring.detections)!r}."
        )
    lines = []

    def noted(line):
        lines.append(line)
        report(line)

    if annotations is None:
        annotations = read_scored(card, scoring, noted)
    kinds = {"mpii": HeadEvaluator, "landmarks": FaceEvaluator}
    coco = SimilarityEvaluator if similarity else DistanceEvaluator
    if scoring.data_format == "mpii" and not (
        scoring.ground_truth or truth_beside(annotations.path)
    ):
        kinds["mpii"] = DistanceEvaluator
        noted(
            Note(
                f"{annotations.path}: without gt_valid.mat of MPII beside it, or --ground_truth, "
                "whose head sizes PCKh is measured in, PCK is measured in sizes of the boxes."
            )
        )
    made = kinds.get(scoring.data_format, coco)(card, scoring, noted, annotations)
    if not made.wanted:
        raise ValueError(
            f"No image of {scoring.annotations} in {scoring.images} has a person to predict. "
            f"Do the files belong together? {by_reason(lines)}".strip()
        )
    return made


def read_scored(card: PoseCard, scoring: PoseScoring, report: Report) -> Annotations:
    """The annotations of a scoring without people in unusable pictures; raises as `evaluator`."""
    files = scoring.annotations, scoring.images
    found = read(scoring.data_format, *files, report, card.keypoints, scoring.category)
    found = usable(found, report)
    check_names(found, card.keypoints, report)
    for line in doubts(found, card.keypoints):
        report(line)
    return found


class SimilarityEvaluator(PoseEvaluator):
    """COCO's ten numbers, and those of the parts of whole bodies, for keypoints with sigmas."""

    main = ("AP", True)

    def __init__(
        self, card: PoseCard, scoring: PoseScoring, report: Report, annotations: Annotations
    ):
        self._scoring = scoring
        self._ids = _known_keypoints(card.keypoints, annotations)
        self._keypoints = _part(card.keypoints, self._ids)
        people = _without_parts(annotations.everyone, len(self._keypoints.names))
        self._truth = ground_truth(people, annotations.images, self._keypoints.sigmas)
        if scoring.detections is None:
            boxes = _by_image(scored_people(annotations, scoring, report))
        else:
            boxes = _detected(scoring)
        images = annotations.images
        self.wanted = [
            Wanted(i, images[i].path, *boxes[i], size=images[i].size) for i in images if i in boxes
        ]

    def add(self, key: int, poses: list[Pose]) -> None:
        """Adds the poses of the image with this id, in COCO's results format."""
        self._persons += len(poses)
        if self._scoring.protocol == "original":
            poses = _suppress(poses, self._predictor)
        for pose in poses:
            keypoints, scores = pose.keypoints[self._ids], pose.scores[self._ids]
            pose = replace(pose, keypoints=keypoints, scores=scores)
            self._results.append(coco_result(key, pose))

    def _scores(self):
        truth, results, keypoints = self._truth, self._results, self._keypoints
        numbers = score(truth, results, keypoints.sigmas)
        if keypoints.names == COCO_WHOLEBODY.names:
            numbers |= whole_body_ap(truth, results)
        return numbers, diagnosis(truth["annotations"], results, keypoints)


def _without_parts(people: Sequence[Record], count: int) -> Sequence[Record]:
    """People of a whole-body file with the keypoints of their bodies only, if these are scored."""
    body = slice(*WHOLE_BODY_PARTS["body"])
    if not people or len(people[0].keypoints) == count or count != body.stop:
        return people
    whole = len(COCO_WHOLEBODY.names)
    return [
        replace(each, keypoints=each.keypoints[body]) if len(each.keypoints) == whole else each
        for each in people
    ]


def _known_keypoints(keypoints: KeypointSet, annotations: Annotations) -> list[int]:
    """Indices of the network's keypoints that the file has: all, or those of its category."""
    records, everything = annotations.everyone, list(range(len(keypoints.names)))
    if not records or len(records[0].keypoints) == len(everything):
        return everything
    ours = list(map(plain_name, keypoints.names))
    for names in map(keypoint_names, annotations.coco.categories):
        theirs = list(map(plain_name, names))
        if set(theirs) <= set(ours) and len(theirs) == len(records[0].keypoints):
            return [ours.index(name) for name in theirs]
    return everything  # `ground_truth` raises an error if they do not fit


def _part(keypoints: KeypointSet, ids: list[int]) -> KeypointSet:
    """The set with only these keypoints, as scoring needs it: names, sigmas and flip pairs."""
    if ids == list(range(len(keypoints.names))) or keypoints.sigmas is None:
        return keypoints
    pairs = [pair for pair in keypoints.flip_pairs if set(pair) <= set(ids)]
    return replace(
        keypoints,
        names=tuple(keypoints.names[i] for i in ids),
        flip_pairs=tuple((ids.index(left), ids.index(right)) for left, right in pairs),
        skeleton=(),
        colors=(),
        point_colors=tuple(keypoints.point_colors[i] for i in ids),
        sigmas=tuple(keypoints.sigmas[i] for i in ids),
        upper_body=(),
    )


def _by_image(records: Sequence[Record]) -> Mapping[int, tuple[np.ndarray, np.ndarray]]:
    """Image id -> (boxes, scores)."""
    boxes = np.array([record.box for record in records]).reshape(-1, 4)
    ids = np.array([record.image.id for record in records])
    return {i: (boxes[ids == i], np.ones(np.sum(ids == i))) for i in dict.fromkeys(ids.tolist())}


def _detected(scoring: PoseScoring) -> Mapping[int, tuple[np.ndarray, np.ndarray]]:
    found = read_boxes(Path(scoring.detections), scoring.score_threshold).boxes
    rows = {image_id: np.array(boxes, np.float64) for image_id, boxes in found.items()}
    return {image_id: (array[:, :4], array[:, 4]) for image_id, array in rows.items()}


def _suppress(poses: list[Pose], predictor: PosePredictor) -> list[Pose]:
    """The poses of one image that remain after OKS suppression, best first."""
    if not poses:
        return poses
    keypoints = np.array([np.column_stack([p.keypoints, p.scores]) for p in poses])
    height, width = predictor.input_size
    boxes = np.array([pose.box for pose in poses])
    _, scales = geometry.center_scale(boxes, width / height, predictor.card.padding)
    areas = ops.convert_to_numpy(scales).prod(axis=1)  # padded boxes, as in the original
    scores = np.array([pose.score for pose in poses])
    sigmas = predictor.card.keypoints.sigmas
    return [poses[i] for i in oks_nms(keypoints, areas, scores, NMS_THRESHOLD, sigmas)]
