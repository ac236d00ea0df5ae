"""Evaluators by distance: PCK, AUC and EPE; PCKh of MPII; NME of faces."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from hrnet_tf.cards.codecs.face import Face, whole_pixels
from hrnet_tf.cards.pose import PoseCard
from hrnet_tf.tasks.pose.predictor import Pose, PosePredictor
from hrnet_tf.tasks.pose.results import coco_result
from hrnet_tf.training.data.sources import Report
from hrnet_tf.training.evaluate import Evaluation, Table, Wanted
from hrnet_tf.training.pose import point_metrics
from hrnet_tf.training.pose.options import PoseScoring
from hrnet_tf.training.pose.point_metrics import errors
from hrnet_tf.training.pose.readers import Annotations, to_train_on
from hrnet_tf.training.pose.readers.coco import Record, trainable

Scores = tuple[dict[str, float], Table]  # numbers, table per keypoint


class PoseEvaluator:
    """Base class: collects results, and puts numbers and conditions together.

    Subclasses fill `self._results` and count `self._persons` in `add`.
    """

    main: ClassVar[tuple[str, bool]]
    _scoring: PoseScoring

    def _scores(self) -> Scores:
        raise NotImplementedError

    def reset(self, predictor: PosePredictor) -> None:
        """Forgets all poses; the next calls of `add` are for this predictor."""
        self._predictor, self._results, self._persons = predictor, [], 0

    def finish(self) -> Evaluation:
        """Scores the poses; the table has a row for each keypoint."""
        numbers, table = self._scores()
        return Evaluation(
            numbers,
            main=self.main,
            results=self._results,
            counted={"persons": self._persons},
            tables={"per_keypoint": table},
            conditions=conditions(self._scoring, self._predictor),
            words=in_words(self._scoring, self._predictor),
        )


class PointEvaluator(PoseEvaluator):
    """Base class: each record has one box and at most one pose.

    Subclasses choose the N records in `self._records`, and score points (N, K, 2), which are NaN
    for records without a pose.
    """

    def __init__(
        self, card: PoseCard, scoring: PoseScoring, report: Report, annotations: Annotations
    ):
        self._card, self._scoring = card, scoring
        self._records = records = self._choose(annotations, report)
        by_path = sorted(range(len(records)), key=lambda i: str(records[i].image.path))
        self.wanted = [
            Wanted(
                i,
                records[i].image.path,
                records[i].box[None],
                np.ones(1),
                size=records[i].image.size,
            )
            for i in by_path
        ]

    def _choose(self, annotations: Annotations, report: Report) -> list[Record]:
        raise NotImplementedError

    def _score(self, points: np.ndarray) -> Scores:
        raise NotImplementedError

    def reset(self, predictor: PosePredictor) -> None:
        """Forgets all poses; the next calls of `add` are for this predictor."""
        super().reset(predictor)
        shape = (len(self._records), len(self._card.keypoints.names), 2)
        self._points = np.full(shape, np.nan)

    def add(self, key: int, poses: list[Pose]) -> None:
        """Adds the pose of one record; the list is empty or has one pose."""
        for pose in poses:
            self._persons += 1
            self._points[key] = pose.keypoints
            self._results.append(coco_result(self._records[key].image.id, pose))

    def _scores(self):
        return self._score(self._points)


class DistanceEvaluator(PointEvaluator):
    """PCK, AUC and EPE for keypoints without sigmas, and for MPII's form without its heads."""

    main = ("PCK@0.2", True)

    def _choose(self, annotations, report):
        records = scored_people(annotations, self._scoring, report)
        self._names = _check_count(records, self._card, self._scoring)
        self._truth = _truth(records, len(self._names))
        self._sizes = np.array([record.box[2:].max() for record in records])
        return records

    def _score(self, points):
        off = errors(points, self._truth[..., :2], self._truth[..., 2] > 0)
        table = point_metrics.pck_table(off, self._sizes, self._names)
        return point_metrics.pck(off, self._sizes), table


class HeadEvaluator(PointEvaluator):
    """PCKh on MPII's annotations, by the positions and head boxes of `gt_valid.mat`."""

    main = ("Mean", True)

    def _choose(self, annotations, report):
        records, scoring = annotations.everyone, self._scoring
        _check_count(records, self._card, scoring)
        path = scoring.ground_truth or truth_beside(annotations.path)
        self._truth = point_metrics.read_mpii_truth(path)
        self._rows = [record.id for record in records]
        if records and not _same_people(records, self._truth, self._rows):
            raise ValueError(
                "`ground_truth` must hold the same people as `annotations`, in the same order. "
                f"Received: ground_truth={path}, annotations={scoring.annotations}. "
                "gt_valid.mat belongs to valid.json."
            )
        return records

    def _score(self, points):
        everyone = np.full(self._truth["truth"].shape, np.nan)
        everyone[self._rows] = points + 1  # MATLAB counts pixels from 1
        off = errors(everyone, **self._truth)
        return point_metrics.pckh(off), point_metrics.pckh_table(off)


class FaceEvaluator(PointEvaluator):
    """NME and failure rates on facial landmarks."""

    main = ("NME", False)

    def _choose(self, annotations, report):
        records = to_train_on(annotations.everyone, annotations.data_format, report)
        self._names = _check_count(records, self._card, self._scoring)
        truth = _truth(records, len(self._names))
        boxes = np.array([record.box for record in records]).reshape(-1, 4)
        sizes = point_metrics.face_sizes(truth, boxes, self._card.keypoints)
        measured = sizes > 0
        for i in np.flatnonzero(~measured):
            path, name = records[i].image.path, records[i].id
            reason = "NME needs both of its outer eye corners"
            report(f"{path}: annotation {name} is left out: {reason}.")
        self._truth, self._sizes = truth[measured], sizes[measured]
        return [records[i] for i in np.flatnonzero(measured)]

    def _score(self, points):
        if self._scoring.protocol == "original" and isinstance(self._card.codec, Face):
            points = whole_pixels(points)
        off = errors(points, self._truth[..., :2], self._truth[..., 2] > 0, self._sizes)
        return point_metrics.nme(off), point_metrics.nme_table(off, self._names)


def scored_people(annotations: Annotations, scoring: PoseScoring, report: Report) -> list[Record]:
    """The records of a COCO-format file that are scored, with the boxes of the protocol."""
    if scoring.protocol == "annotated":
        return trainable(annotations.everyone)
    return to_train_on(annotations.everyone, annotations.data_format, report)


def conditions(scoring: PoseScoring, predictor: PosePredictor) -> dict[str, Any]:
    """The settings that the numbers depend on, by name."""
    detections = scoring.detections and Path(scoring.detections).name
    return {
        "annotations": Path(scoring.annotations).name,
        "boxes": detections or "annotated",
        "score_threshold": scoring.score_threshold if detections else None,
        "protocol": scoring.protocol,
        "codec": str(predictor.card.codec),
        "flip": _flips(predictor),
    }


def in_words(scoring: PoseScoring, predictor: PosePredictor) -> str:
    """The most important settings as text."""
    flip = "with" if _flips(predictor) else "without"
    return f"protocol {scoring.protocol}, codec {predictor.card.codec}, {flip} flip test"


def _flips(predictor) -> bool:
    """Whether a predictor averages with the mirrored crop; those of others may not say it."""
    return getattr(predictor, "flip", False)


def truth_beside(annotations: Path) -> Path | None:
    """MPII's ground truth in the folder of its annotations; None for data of one's own without it.

    Raises:
        ValueError: it is missing beside a file that has the name of one of MPII's.
    """
    names = (f"gt_{annotations.stem}.mat", "mpii_gt_val.mat")
    for name in names:
        if (annotations.parent / name).is_file():
            return annotations.parent / name
    if annotations.stem not in ("train", "valid", "trainval"):
        return None
    raise ValueError(
        "`ground_truth` must be gt_valid.mat of MPII, whose head sizes PCKh is measured in. "
        f"Received: ground_truth=None, and neither {' nor '.join(names)} in {annotations.parent}; "
        "put it there. Data of your own need another name than MPII's; they are scored by PCK."
    )


def _truth(records: Sequence[Record], count: int) -> np.ndarray:
    return np.array([record.keypoints for record in records]).reshape(-1, count, 3)


def _check_count(
    records: Sequence[Record], card: PoseCard, scoring: PoseScoring
) -> tuple[str, ...]:
    """The names of the card's keypoints; raises ValueError if records have another number."""
    names = card.keypoints.names
    if records and len(records[0].keypoints) != len(names):
        raise ValueError(
            f"`annotations` must have the {len(names)} keypoints of the network, "
            f"{card.keypoints.name}. Received: {len(records[0].keypoints)} keypoints in "
            f"annotations={scoring.annotations}."
        )
    return names


def _same_people(records: Sequence[Record], truth: dict, rows: Sequence[int]) -> bool:
    """Whether the annotations have the same joints as the ground truth, except for rounding."""
    if max(rows) >= len(truth["truth"]):
        return False
    points = np.array([record.keypoints for record in records])
    labelled = (points[..., 2] > 0) & truth["labelled"][rows]
    off = np.linalg.norm(points[..., :2] + 1 - truth["truth"][rows], axis=-1)
    return not labelled.any() or np.median(off[labelled]) < 2
