"""Whom to predict in a file, and how to score it: one function per kind of data.

Each returns a `Task`. It reads the annotations, and refuses what a network cannot be scored on,
before anything is predicted.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from keras import ops

from hrnet_tf.labels.keypoint_sets import COCO_WHOLEBODY
from hrnet_tf.labels.keypoints import KeypointSet
from hrnet_tf.tasks.detection.box_files import read_boxes
from hrnet_tf.tasks.pose import geometry
from hrnet_tf.tasks.pose.card import PoseCard
from hrnet_tf.tasks.pose.codecs.face import Face, whole_pixels
from hrnet_tf.tasks.pose.predictor import Pose, PosePredictor
from hrnet_tf.tasks.pose.results import coco_result
from hrnet_tf.training.data.sources import Report
from hrnet_tf.training.pose import point_metrics
from hrnet_tf.training.pose.diagnosis import diagnosis
from hrnet_tf.training.pose.oks_metrics import coco_ap, ground_truth, oks_nms, whole_body_ap
from hrnet_tf.training.pose.point_metrics import errors
from hrnet_tf.training.pose.readers import FORMATS, READERS, to_train_on
from hrnet_tf.training.pose.readers.coco import Record, read_coco_json, read_images, trainable

NMS_THRESHOLD = 0.9

Numbers = dict[str, float]
Table = dict[str, dict[str, float]]
Poses = Mapping[int, list[Pose]]  # key -> poses, one per usable box


@dataclass(frozen=True)
class Source:
    """What `evaluate` was given to score on; see there."""

    annotations: Path
    images_dir: Path
    detections: Path | None
    protocol: str
    score_threshold: float
    ground_truth: Path | None


@dataclass(frozen=True)
class Task:
    """Whom to predict, and how to score it.

    Attributes:
        wanted: (key, image, boxes (N, 4), scores (N,)); who shares an image are neighbours.
        score: (poses by key, predictor) -> numbers, table per keypoint, COCO results.
    """

    wanted: list[tuple]
    score: Callable[[Poses, PosePredictor], tuple[Numbers, Table, list[dict]]]


def similarity_task(card: PoseCard, source: Source, report: Report) -> Task:
    """OKS average precision on a COCO-format file, for keypoints with sigmas."""
    everyone = READERS["coco"](source.annotations, source.images_dir, report)
    ids = _known_keypoints(card.keypoints, source.annotations, everyone)
    keypoints = _part(card.keypoints, ids)
    truth = ground_truth(source.annotations, keypoints.sigmas)
    if source.detections is None:
        boxes = _by_image(_people(everyone, source, report))
    else:
        boxes = _detected(source)
    images = read_images(source.annotations, source.images_dir, report)
    wanted = [(i, images[i], *boxes[i]) for i in images if i in boxes]

    def score(found, predictor):
        results = []
        for image_id, poses in found.items():
            if source.protocol == "original":
                poses = _suppress(poses, predictor)
            for pose in poses:
                pose = replace(pose, keypoints=pose.keypoints[ids], scores=pose.scores[ids])
                results.append(coco_result(image_id, pose))
        numbers = coco_ap(truth, results, keypoints.sigmas)
        if keypoints.names == COCO_WHOLEBODY.names:
            numbers |= whole_body_ap(truth, results)
        return numbers, diagnosis(truth["annotations"], results, keypoints), results

    return Task(wanted, score)


def distance_task(card: PoseCard, source: Source, report: Report) -> Task:
    """PCK, AUC and EPE on a COCO-format file, for keypoints without sigmas."""
    everyone = READERS["coco"](source.annotations, source.images_dir, report)
    records = _people(everyone, source, report)
    names = _check_count(records, card, source)
    truth = np.array([record.keypoints for record in records]).reshape(-1, len(names), 3)
    sizes = np.array([record.box[2:].max() for record in records])

    def score(points):
        off = errors(points, truth[..., :2], truth[..., 2] > 0)
        return point_metrics.pck(off, sizes), point_metrics.pck_table(off, sizes, names)

    return _task_of_records(records, score)


def mpii_task(card: PoseCard, source: Source, report: Report) -> Task:
    """PCKh on MPII's annotations, by the positions and head boxes of `gt_valid.mat`."""
    records = READERS["mpii"](source.annotations, source.images_dir, report)
    _check_count(records, card, source)
    path = source.ground_truth or truth_beside(source.annotations)
    truth = point_metrics.read_mpii_truth(path)
    rows = [record.id for record in records]
    if rows and not _same_people(records, truth, rows):
        raise ValueError(
            "`ground_truth` must hold the same people as `annotations`, in the same order. "
            f"Received: ground_truth={path}, annotations={source.annotations}. "
            "gt_valid.mat belongs to valid.json."
        )

    def score(points):
        everyone = np.full(truth["truth"].shape, np.nan)
        everyone[rows] = points + 1  # MATLAB counts pixels from 1
        off = errors(everyone, **truth)
        return point_metrics.pckh(off), point_metrics.pckh_table(off)

    return _task_of_records(records, score)


def face_task(card: PoseCard, source: Source, report: Report) -> Task:
    """NME and failure rates on facial landmarks."""
    records = FORMATS["landmarks"](source.annotations, source.images_dir, report)
    names = _check_count(records, card, source)
    truth = np.array([record.keypoints for record in records]).reshape(-1, len(names), 3)
    boxes = np.array([record.box for record in records]).reshape(-1, 4)
    sizes = point_metrics.face_sizes(truth, boxes, card.keypoints)
    measured = sizes > 0
    for i in np.flatnonzero(~measured):
        path, name = records[i].image.path, records[i].id
        report(f"{path}: annotation {name} is left out: NME needs both of its outer eye corners.")
    records = [records[i] for i in np.flatnonzero(measured)]
    truth, sizes = truth[measured], sizes[measured]
    cut = source.protocol == "original" and isinstance(card.codec, Face)

    def score(points):
        points = whole_pixels(points) if cut else points
        off = errors(points, truth[..., :2], truth[..., 2] > 0, sizes)
        return point_metrics.nme(off), point_metrics.nme_table(off, names)

    return _task_of_records(records, score)


def _people(everyone: list[Record], source: Source, report: Report) -> list[Record]:
    """Who is scored, with the boxes of the protocol."""
    if source.protocol == "annotated":
        return trainable(everyone)
    return to_train_on(everyone, "coco", report)


def _task_of_records(records, score) -> Task:
    """One box and at most one pose per record; `score` takes points (N, K, 2), NaN without pose."""
    order = sorted(range(len(records)), key=lambda i: str(records[i].image.path))
    wanted = [(i, records[i].image, records[i].box[None], np.ones(1)) for i in order]

    def score_poses(found, predictor):
        points = np.full((len(records), len(predictor.card.keypoints.names), 2), np.nan)
        results = []
        for i, poses in found.items():
            for pose in poses:
                points[i] = pose.keypoints
                results.append(coco_result(records[i].image.id, pose))
        return *score(points), results

    return Task(wanted, score_poses)


def _check_count(records, card, source):
    """The names of the keypoints, if the records have as many."""
    names = card.keypoints.names
    if records and len(records[0].keypoints) != len(names):
        raise ValueError(
            f"`annotations` must have the {len(names)} keypoints of the network, "
            f"{card.keypoints.name}. Received: {len(records[0].keypoints)} keypoints in "
            f"annotations={source.annotations}."
        )
    return names


def _known_keypoints(keypoints: KeypointSet, annotations: Path, records) -> list[int]:
    """Which of the network's keypoints the file has: all, or those that its category names."""
    everything = list(range(len(keypoints.names)))
    if not records or len(records[0].keypoints) == len(everything):
        return everything
    for category in read_coco_json(annotations).get("categories", []):
        names = category.get("keypoints") or ["?"]
        if set(names) <= set(keypoints.names) and len(names) == len(records[0].keypoints):
            return [keypoints.names.index(name) for name in names]
    return everything  # `ground_truth` says what does not fit


def _part(keypoints: KeypointSet, ids: list[int]) -> KeypointSet:
    """Some of the keypoints, for scoring: their names, sigmas and flip pairs."""
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


def _by_image(records):
    """Image id -> (boxes, scores)."""
    boxes = np.array([record.box for record in records]).reshape(-1, 4)
    ids = np.array([record.image.id for record in records])
    return {i: (boxes[ids == i], np.ones(np.sum(ids == i))) for i in dict.fromkeys(ids.tolist())}


def _detected(source):
    found = read_boxes(source.detections, source.score_threshold).boxes
    rows = {image_id: np.array(boxes, np.float64) for image_id, boxes in found.items()}
    return {image_id: (array[:, :4], array[:, 4]) for image_id, array in rows.items()}


def truth_beside(annotations: Path) -> Path:
    """The ground truth of MPII in the folder of its annotations; ValueError if it is not there."""
    names = (f"gt_{annotations.stem}.mat", "mpii_gt_val.mat")
    for name in names:
        if (annotations.parent / name).is_file():
            return annotations.parent / name
    raise ValueError(
        "`ground_truth` must be gt_valid.mat of MPII, whose head sizes PCKh is measured in. "
        f"Received: ground_truth=None, and neither {' nor '.join(names)} in {annotations.parent}; "
        "put it there."
    )


def _same_people(records, truth, rows):
    """Whether the joints of the annotations are those of the ground truth, but for rounding."""
    if max(rows) >= len(truth["truth"]):
        return False
    points = np.array([record.keypoints for record in records])
    labelled = (points[..., 2] > 0) & truth["labelled"][rows]
    off = np.linalg.norm(points[..., :2] + 1 - truth["truth"][rows], axis=-1)
    return not labelled.any() or np.median(off[labelled]) < 2


def _suppress(poses: list[Pose], predictor: PosePredictor) -> list[Pose]:
    """OKS suppression among the poses of one image, best first."""
    if not poses:
        return poses
    keypoints = np.array([np.column_stack([p.keypoints, p.scores]) for p in poses])
    height, width = predictor.input_size
    boxes = np.array([pose.box for pose in poses])
    _, scales = geometry.center_scale(boxes, width / height, predictor.card.padding)
    areas = ops.convert_to_numpy(scales).prod(axis=1)  # of the padded boxes, as the original has it
    scores = np.array([pose.score for pose in poses])
    sigmas = predictor.card.keypoints.sigmas
    return [poses[i] for i in oks_nms(keypoints, areas, scores, NMS_THRESHOLD, sigmas)]
