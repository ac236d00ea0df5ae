"""Evaluation of a network on annotated images; what is counted, the task's evaluator knows."""

import dataclasses
import sys
from collections.abc import Hashable, Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
from rich.console import Console
from rich.progress import track

from hrnet_tf.media.images import read_image
from hrnet_tf.tasks.streaming import ahead
from hrnet_tf.training.data.sources import Report
from hrnet_tf.training.task import training_named

Table = Mapping[str, Mapping[str, float]]  # row -> column -> number


class Wanted(NamedTuple):
    """What a predictor must be asked: `boxes` (N, 4) and `scores` (N,) where a task has boxes."""

    key: Hashable
    path: Path
    boxes: np.ndarray | None = None
    scores: np.ndarray | None = None


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """What an evaluation found.

    Attributes:
        numbers: by name; shares as fractions, EPE in pixels.
        main: the name of the number to judge a network by, and whether higher is better.
        results: the predictions, in the results format of the task.
        counted: what was predicted, such as {"persons": 120}.
        tables: by name, such as `per_keypoint`: row -> column -> number.
        conditions: what the numbers depend on, by name: protocol, codec, boxes.
        words: the most important of these for people.
        images: images that were read.
        problems: what was left out, one sentence each.
    """

    numbers: Mapping[str, float]
    main: tuple[str, bool]
    results: Sequence[Mapping] = ()
    counted: Mapping[str, int] = dataclasses.field(default_factory=dict)
    tables: Mapping[str, Table] = dataclasses.field(default_factory=dict)
    conditions: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    words: str = ""
    images: int = 0
    problems: tuple[str, ...] = ()


class Evaluator(Protocol):
    """Scores the predictions of one network after the other on the same annotations.

    It is made once: reads the annotations, and refuses what a network cannot be scored on, before
    anything is predicted.

    Attributes:
        wanted: what to predict; who shares an image are neighbours.
    """

    wanted: Sequence[Wanted]

    def reset(self, predictor) -> None:
        """Forgets all predictions; those of this predictor come next."""

    def add(self, key: Hashable, result) -> None:
        """Takes the prediction for one of `wanted`, and keeps only what the numbers need."""

    def finish(self) -> Evaluation:
        """What the predictions are worth; what was wanted and never added counts as missed."""


def evaluate(
    predictor, annotations: str | Path, images_dir: str | Path, **scoring: Any
) -> Evaluation:
    """Measures a network on annotated images by the metric of its task and of the data.

    `training.pose.evaluator` and its like in the rooms of other tasks say what is measured.

    Args:
        predictor: the network with its card, which names the task.
        annotations: the annotation file.
        images_dir: the folder its file names are relative to.
        scoring: the other fields of the task's scoring, such as `PoseScoring`.

    Raises:
        OSError, ValueError: unusable files or arguments. What cannot be used of the files is left
            out of the prediction, counts as missed, and is named in `problems`.
    """
    kind = training_named(predictor.card.task).scoring
    return evaluate_on(predictor, kind(str(annotations), str(images_dir), **scoring))


def evaluate_on(predictor, scoring: Any) -> Evaluation:
    """`evaluate` on what the scoring of the predictor's task says, such as a `PoseScoring`."""
    problems, training = [], training_named(predictor.card.task)
    found = judge(predictor, training.evaluator(predictor.card, scoring, problems.append))
    return dataclasses.replace(found, problems=tuple(dict.fromkeys([*problems, *found.problems])))


def judge(predictor, evaluator: Evaluator) -> Evaluation:
    """Predicts what an evaluator wants and lets it score that; unreadable images are `problems`."""
    problems, read = [], set()
    evaluator.reset(predictor)
    stream = predictor.stream(_readable(evaluator.wanted, read, problems.append))
    console, quiet = Console(stderr=True), not sys.stderr.isatty()
    stream = track(stream, "evaluate", len(evaluator.wanted), console=console, disable=quiet)
    for key, _, result in stream:
        evaluator.add(key, result)
    found = evaluator.finish()
    problems = (*found.problems, *dict.fromkeys(problems))
    return dataclasses.replace(found, images=len(read), problems=problems)


def _readable(wanted: Sequence[Wanted], read: set[Path], report: Report) -> Iterator[tuple]:
    """(key, pixels, boxes, scores) of the images that can be read, decoded ahead, each once.

    The paths of these images join `read`.
    """

    def decode(items):
        path = items[0].path
        try:
            pixels = read_image(path, apply_exif=False)
        except (OSError, ValueError) as error:
            report(str(error))
            return []
        read.add(path)
        return [(each.key, pixels, each.boxes, each.scores) for each in items]

    groups = (list(group) for _, group in groupby(wanted, key=lambda each: each.path))
    return (item for items in ahead(decode, groups) for item in items)
