"""COCO keypoint evaluation by a stated protocol.

The original one is that of `lib/dataset/coco.py` in the repository of Sun et al. CVPR 2019.
"""

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from keras import ops
from rich.console import Console
from rich.progress import track

from hrnet_tf import geometry
from hrnet_tf.images import read_boxes, read_image
from hrnet_tf.predict import Pose, PosePredictor, ahead, coco_result
from hrnet_tf.training.data.coco import clean_boxes, read_coco, read_images, trainable
from hrnet_tf.training.metrics import coco_ap, ground_truth, oks_nms

PROTOCOLS = ("original", "annotated")
NMS_THRESHOLD = 0.9


@dataclass(frozen=True)
class Evaluation:
    """What `evaluate` found.

    Attributes:
        numbers: COCO's ten numbers by name, as fractions.
        results: the poses in COCO's results format.
        images: images that were read.
        persons: boxes that were predicted, before suppression.
        problems: what was left out, one sentence each.
    """

    numbers: Mapping[str, float]
    results: list[dict]
    images: int
    persons: int
    problems: tuple[str, ...]


def evaluate(
    predictor: PosePredictor,
    annotations: str | Path,
    images_dir: str | Path,
    detections: str | Path | None = None,
    protocol: str = "original",
    score_threshold: float = 0.0,
) -> Evaluation:
    """Measures OKS average precision on a COCO keypoint file.

    The `original` protocol clips annotated boxes to their images, or takes all boxes of
    `detections` as they are, and suppresses double poses by OKS above 0.9. The `annotated`
    protocol takes annotated boxes untouched and suppresses nothing. Both crop without turning
    images by their EXIF orientation, and score a person by its box's score times the mean of the
    keypoint scores above 0.2. Flip test, codec and padding are the predictor's.

    Args:
        predictor: the network with its card.
        annotations: COCO keypoint annotations.
        images_dir: the folder their file names are relative to.
        detections: a detector's COCO results; annotated boxes if None.
        protocol: "original" or "annotated".
        score_threshold: detections with a lower score are left out; the original takes them all.

    Raises:
        OSError, ValueError: unusable files or arguments. A person or image that cannot be used is
            left out of the prediction, counts as missed, and is named in `problems`.
    """
    if protocol not in PROTOCOLS:
        raise ValueError(
            f"`protocol` must be one of {', '.join(PROTOCOLS)}. Received: protocol={protocol!r}."
        )
    if protocol == "annotated" and detections is not None:
        raise ValueError(
            "`detections` go with protocol='original'; 'annotated' takes the boxes of the "
            f"annotations. Received: detections={str(detections)!r}."
        )
    sigmas = predictor.card.keypoints.sigmas
    truth = ground_truth(annotations, sigmas)  # refuses what does not fit before the long work
    problems = []
    images = read_images(annotations, images_dir, problems.append)
    if detections is None:
        records = trainable(read_coco(annotations, images_dir, problems.append))
        boxes = _annotated_boxes(records, clip=protocol == "original")
    else:
        boxes = _detected_boxes(detections, score_threshold)
    wanted = [(images[i], *boxes[i]) for i in images if i in boxes]
    if not wanted:
        raise ValueError(
            f"No image of {annotations} in {images_dir} has a person to predict. "
            "Do the files belong together?"
        )
    results, read, persons = [], 0, 0
    console = Console(stderr=True)
    stream = predictor.stream(_readable(wanted, problems.append))
    for image_id, _, poses in track(
        stream, "evaluate", len(wanted), console=console, disable=not sys.stderr.isatty()
    ):
        read, persons = read + 1, persons + len(poses)
        if protocol == "original":
            poses = _suppress(poses, predictor)
        results += [coco_result(image_id, pose) for pose in poses]
    numbers = coco_ap(truth, results, sigmas)
    return Evaluation(numbers, results, read, persons, tuple(dict.fromkeys(problems)))


def _annotated_boxes(records, clip):
    """Image id -> (boxes, scores)."""
    boxes = np.array([record.box for record in records]).reshape(-1, 4)
    if clip:
        areas = [record.area for record in records]
        sizes = np.array([record.image.size for record in records]).reshape(-1, 2)
        boxes, keep = clean_boxes(boxes, areas, sizes)
        boxes, records = boxes[keep], [r for r, kept in zip(records, keep, strict=True) if kept]
    ids = np.array([record.image.id for record in records])
    return {int(i): (boxes[ids == i], np.ones(np.sum(ids == i))) for i in np.unique(ids)}


def _detected_boxes(detections, score_threshold):
    found = read_boxes(detections, score_threshold).boxes
    rows = {image_id: np.array(boxes, np.float64) for image_id, boxes in found.items()}
    return {image_id: (array[:, :4], array[:, 4]) for image_id, array in rows.items()}


def _readable(wanted, report: Callable[[str], None]):
    """(image id, pixels, boxes, scores) of the images that can be read, decoded ahead."""

    def read(item):
        image, boxes, scores = item
        try:
            return image.id, read_image(image.path, apply_exif=False), boxes, scores
        except (OSError, ValueError) as error:
            report(str(error))
            return None

    return (item for item in ahead(read, wanted) if item is not None)


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
