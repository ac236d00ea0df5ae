"""Evaluation of a pose network on annotated images, by the metric of the data and a protocol."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

from rich.console import Console
from rich.progress import track

from hrnet_tf.media.images import read_image
from hrnet_tf.tasks.pose.card import PoseCard
from hrnet_tf.tasks.pose.predictor import PosePredictor
from hrnet_tf.tasks.streaming import ahead
from hrnet_tf.training.data.sources import Report
from hrnet_tf.training.pose.evaluator import (
    Source,
    Task,
    distance_task,
    face_task,
    mpii_task,
    similarity_task,
)
from hrnet_tf.training.pose.readers import FORMATS

PROTOCOLS = ("original", "annotated")
# The number that stands for the others, of each kind of data, and whether higher is better.
MAIN_NUMBERS = {"AP": True, "Mean": True, "PCK@0.2": True, "NME": False}


@dataclass(frozen=True)
class Evaluation:
    """What `evaluate` found.

    Attributes:
        numbers: by name; shares as fractions, EPE in pixels.
        results: the poses in COCO's results format.
        images: images that were read.
        persons: boxes that were predicted, before suppression.
        problems: what was left out, one sentence each.
        per_keypoint: keypoint -> column -> number.
    """

    numbers: Mapping[str, float]
    results: list[dict]
    images: int
    persons: int
    problems: tuple[str, ...]
    per_keypoint: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    @property
    def main(self) -> tuple[str, bool]:
        """The number to judge a network by, and whether higher is better."""
        return next(each for each in MAIN_NUMBERS.items() if each[0] in self.numbers)


def evaluate(
    predictor: PosePredictor,
    annotations: str | Path,
    images_dir: str | Path,
    detections: str | Path | None = None,
    protocol: str = "original",
    data_format: str = "coco",
    score_threshold: float = 0.0,
    ground_truth: str | Path | None = None,
) -> Evaluation:
    """Measures a pose network by the metric of the data.

    | data_format | keypoints      | numbers                                      |
    | ----------- | -------------- | -------------------------------------------- |
    | coco        | with sigmas    | OKS average precision                        |
    | coco        | without sigmas | PCK at 0.2 of the box, AUC 0..30 pixels, EPE |
    | mpii        | MPII's         | PCKh at 0.5 and 0.1                          |
    | landmarks   | faces          | NME, failure rates, AUC                      |

    The `original` protocol clips COCO's annotated boxes to their images, or takes all boxes of
    `detections` as they are, and suppresses double poses by OKS above 0.9 (`lib/dataset/coco.py` of
    Sun et al. CVPR 2019). For the codec `face` it reports whole pixels, as the original face tools.
    The `annotated` protocol takes annotated boxes untouched, suppresses nothing, and keeps
    fractions of pixels. Both crop without turning images by their EXIF orientation, and score a
    person by its box's score times the mean of the keypoint scores above 0.2. Flip test, codec and
    padding are the predictor's: the original evaluates faces without flip test.

    A network with more keypoints than a COCO file names is scored on those of the file.

    Args:
        predictor: the network with its card.
        annotations: a file of that format.
        images_dir: the folder its file names are relative to.
        detections: a detector's COCO results, only with OKS; annotated boxes if None.
        protocol: "original" or "annotated".
        data_format: a name of `data.annotations.FORMATS`.
        score_threshold: detections with a lower score are left out; the original takes them all.
        ground_truth: gt_valid.mat of MPII; the one beside `annotations` if None.

    Raises:
        OSError, ValueError: unusable files or arguments. A person or image that cannot be used is
            left out of the prediction, counts as missed, and is named in `problems`.
    """
    problems = []
    source = Source(
        Path(annotations),
        Path(images_dir),
        Path(detections) if detections else None,
        protocol,
        score_threshold,
        Path(ground_truth) if ground_truth else None,
    )
    task = _task(predictor.card, source, data_format, problems.append)
    found = _predict(predictor, task.wanted, problems.append)
    numbers, per_keypoint, results = task.score(found, predictor)
    images = {image.id for key, image, _, _ in task.wanted if key in found}
    persons = sum(map(len, found.values()))
    return Evaluation(
        numbers, results, len(images), persons, tuple(dict.fromkeys(problems)), per_keypoint
    )


def check(
    card: PoseCard,
    annotations: str | Path,
    images_dir: str | Path,
    protocol: str = "original",
    data_format: str = "coco",
    ground_truth: str | Path | None = None,
) -> None:
    """Raises what `evaluate` would raise, without predicting anything.

    Raises:
        OSError, ValueError: see there.
    """
    ground_truth = Path(ground_truth) if ground_truth else None
    source = Source(Path(annotations), Path(images_dir), None, protocol, 0.0, ground_truth)
    _task(card, source, data_format, lambda problem: None)


def _task(card: PoseCard, source: Source, data_format: str, report: Report) -> Task:
    for name, value, known in (
        ("protocol", source.protocol, PROTOCOLS),
        ("data_format", data_format, tuple(FORMATS)),
    ):
        if value not in known:
            raise ValueError(
                f"`{name}` must be one of {', '.join(known)}. Received: {name}={value!r}."
            )
    kinds = {"mpii": mpii_task, "landmarks": face_task}
    similarity = data_format == "coco" and card.keypoints.sigmas is not None
    kind = kinds.get(data_format, similarity_task if similarity else distance_task)
    if source.detections and (source.protocol == "annotated" or not similarity):
        raise ValueError(
            "`detections` go with protocol='original' and keypoints that have sigmas; all else "
            f"takes the boxes of the annotations. Received: detections={str(source.detections)!r}."
        )
    task = kind(card, source, report)
    if not task.wanted:
        raise ValueError(
            f"No image of {source.annotations} in {source.images_dir} has a person to predict. "
            "Do the files belong together?"
        )
    return task


def _predict(predictor, wanted, report: Report):
    """Poses by the keys of `wanted`, of the images that can be read."""
    console = Console(stderr=True)
    stream = predictor.stream(_readable(wanted, report))
    quiet = not sys.stderr.isatty()
    stream = track(stream, "evaluate", len(wanted), console=console, disable=quiet)
    return {key: poses for key, _, poses in stream}


def _readable(wanted, report: Report):
    """(key, pixels, boxes, scores) of the images that can be read, decoded ahead, each once."""

    def read(items):
        path = items[0][1].path
        try:
            pixels = read_image(path, apply_exif=False)
        except (OSError, ValueError) as error:
            report(str(error))
            return []
        return [(key, pixels, boxes, scores) for key, _, boxes, scores in items]

    groups = (list(group) for _, group in groupby(wanted, key=lambda item: item[1].path))
    return (item for items in ahead(read, groups) for item in items)
