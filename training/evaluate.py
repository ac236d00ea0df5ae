"""Evaluation of a network on annotated images, by the evaluator of its task."""

import dataclasses
import sys
from collections import Counter
from collections.abc import Hashable, Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
from rich.console import Console
from rich.progress import track

from hrnet_tf.tasks.streaming import ahead
from hrnet_tf.training.data.sources import Note, Report, read_annotated
from hrnet_tf.training.task import scored_named

Table = Mapping[str, Mapping[str, float]]  # row -> column -> number


class Wanted(NamedTuple):
    """An image to predict, with `boxes` (N, 4) and their `scores` (N,) if the task has boxes.

    `part` is the image's place in a file of several, as in `read_image`; `size` is its annotated
    (height, width), as in `read_annotated`, or None for that of its file.
    """

    key: Hashable
    path: Path
    boxes: np.ndarray | None = None
    scores: np.ndarray | None = None
    part: tuple[int, int] | None = None
    size: tuple[int, int] | None = None


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """The result of an evaluation.

    Attributes:
        numbers: metrics by name; shares as fractions, EPE in pixels.
        main: the name of the number that networks are compared by, and whether higher is better.
        results: the predictions, in the results format of the task.
        counted: numbers of predicted things, such as {"persons": 120}.
        tables: name, such as `per_keypoint` -> row -> column -> number.
        conditions: settings that the numbers depend on, by name: protocol, codec, boxes.
        words: the most important conditions, as text for people.
        images: number of images that were read.
        problems: a sentence for each image or annotation that was left out, and for all else that
            casts doubt on the numbers.
        notes: a sentence for each thing that was understood, though it is unusual.
        doubt: why the numbers are not to be believed: nothing was scored, or nothing matched.
        further: names of the numbers that stand beside the main one in tables of networks.
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
    notes: tuple[str, ...] = ()
    doubt: str = ""
    further: tuple[str, ...] = ()


class Evaluator(Protocol):
    """Scores the predictions of several networks, one after the other, on the same annotations.

    Its annotations are read when it is made. If networks cannot be scored on them, that raises an
    error, before anything is predicted.

    Attributes:
        wanted: the images to predict; entries with the same image are adjacent.
    """

    wanted: Sequence[Wanted]

    def reset(self, predictor) -> None:
        """Forgets all predictions; the next calls of `add` are for this predictor."""

    def add(self, key: Hashable, result) -> None:
        """Adds the prediction for one entry of `wanted`; keeps only what the numbers need."""

    def finish(self) -> Evaluation:
        """Scores the predictions; entries of `wanted` without a prediction count as missed."""


def evaluate(
    predictor, annotations: str | Path, images_dir: str | Path, **scoring: Any
) -> Evaluation:
    """Measures a network on annotated images by the metric of its task and of the data.

    The metrics are described in the task's evaluator, such as `training.pose.evaluator`.

    Args:
        predictor: the network with its card, which names the task.
        annotations: the annotation file.
        images_dir: the folder that its file names are relative to.
        scoring: other fields of the task's scoring dataclass, such as `PoseScoring`.

    Raises:
        OSError, ValueError: a file or an argument cannot be used. Single images or annotations
            that cannot be used are not predicted, count as missed, and are named in `problems`.
    """
    kind = scored_named(predictor.card.task).scoring
    return evaluate_on(predictor, kind(str(annotations), str(images_dir), **scoring))


def evaluate_on(predictor, scoring: Any) -> Evaluation:
    """`evaluate` with the scoring dataclass of the predictor's task, such as a `PoseScoring`."""
    lines, task = [], scored_named(predictor.card.task)
    found = judge(predictor, task.evaluator(predictor.card, scoring, lines.append))
    return _with_lines(found, lines)


def score_results(task: str, scoring: Any) -> Evaluation:
    """Scores the file `scoring.results` of a task, without a network."""
    lines = []
    evaluator = scored_named(task).evaluator(None, scoring, lines.append)
    evaluator.reset(None)
    return _with_lines(evaluator.finish(), lines)


def _with_lines(found, lines):
    """The evaluation with the lines that its evaluator reported, and whether it is believed."""
    lines = dict.fromkeys([*lines, *found.problems])
    notes = tuple(line for line in lines if isinstance(line, Note))
    problems = tuple(line for line in lines if not isinstance(line, Note))
    found = dataclasses.replace(found, problems=problems, notes=(*found.notes, *notes))
    return dataclasses.replace(found, doubt=_doubt(found))


def _doubt(found: Evaluation) -> str:
    """Why numbers are not to be believed; empty if they are."""
    main, counts = found.main[0], found.counted.values()
    if found.counted and not any(counts):
        reason = "nothing was predicted"
    elif found.numbers[main] in (-1, None) or found.numbers[main] != found.numbers[main]:
        reason = f"nothing annotated could be scored ({main} is {found.numbers[main]:g})"
    elif found.main[1] and found.numbers[main] == 0 == max(found.numbers.values()):
        what = " and ".join(f"{number} {name}" for name, number in found.counted.items())
        reason = f"none of {what or 'the predictions'} matches the annotations"
    else:
        return ""
    return f"No numbers: {reason}. {by_reason([*found.problems, *found.notes])}".strip()


def by_reason(lines: Sequence[str]) -> str:
    """A sentence with the reasons of lines about what was left out, and the first line."""
    reasons = Counter(line.partition("left out: ")[2] for line in lines if "left out: " in line)
    if not reasons:
        return f"{lines[0]}" if lines else ""
    first = next(line for line in lines if "left out: " in line)
    counts = "; ".join(
        f"{number}: {reason.rstrip('.')}" for reason, number in reasons.most_common(3)
    )
    more = f"; {len(reasons) - 3} more reasons" if len(reasons) > 3 else ""
    return f"Left out by reason: {counts}{more}. The first: {first}"


def judge(predictor, evaluator: Evaluator) -> Evaluation:
    """Predicts the images of an evaluator, and scores them; names unreadable ones as `problems`."""
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


def _readable(wanted: Sequence[Wanted], read: set[tuple], report: Report) -> Iterator[tuple]:
    """Yields (key, pixels, boxes, scores) for images that can be read.

    A background thread decodes each image once. Places of images that were read go to `read`.
    """

    def decode(items):
        path, part = items[0].path, items[0].part
        try:
            pixels = read_annotated(path, items[0].size, part)
        except (OSError, ValueError) as error:
            report(str(error))
            return []
        read.add((path, part))
        return [(each.key, pixels, each.boxes, each.scores) for each in items]

    groups = (list(group) for _, group in groupby(wanted, key=lambda each: (each.path, each.part)))
    return (item for items in ahead(decode, groups) for item in items)
