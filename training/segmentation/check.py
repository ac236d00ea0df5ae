"""Checks a data set before training: decodes all pictures and masks, and lists what is wrong.

A bad record gets one line, and the check continues with the next record.
"""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from hrnet_tf.labels.label_values import IGNORED
from hrnet_tf.training.data.sources import look
from hrnet_tf.training.segmentation.masks import read_mask
from hrnet_tf.training.segmentation.readers import Annotated, Record


@dataclass(frozen=True)
class Findings:
    """The results of `examine`.

    Attributes:
        problems: a sentence for each thing that training leaves out or cannot use.
        remarks: a sentence for each thing that looks wrong, but is used in training.
        pictures: number of pictures to train on.
        shown: class -> number of pictures that show it.
        shares: class -> its share of the pixels that have a class.
        ignored: share of pixels without a class.
    """

    problems: tuple[str, ...]
    remarks: tuple[str, ...]
    pictures: int
    shown: Mapping[str, int]
    shares: Mapping[str, float]
    ignored: float


def examine(found: Annotated, names: Sequence[str], problems: Sequence[str] = ()) -> Findings:
    """Decodes all pictures and masks.

    Args:
        found: the annotated pictures.
        names: the classes.
        problems: the lines that the reader reported.
    """
    problems, remarks = [*problems], []
    counts = []
    with ThreadPoolExecutor() as pool:
        results = pool.map(lambda record: _count(record, found, len(names)), found.records)
        for record, result in zip(found.records, results, strict=True):
            if isinstance(result, str):
                problems.append(result)
                continue
            counts.append(result)
            if not result[:-1].any():
                remarks.append(f"{_name(record)}: no pixel has a class; all are ignored.")
    counts = np.array(counts, np.int64).reshape(-1, len(names) + 1)
    if not len(counts):
        problems.append(f"{found.path}: there is nothing to train on.")
    labelled, ignored = counts[:, :-1], counts[:, -1].sum()
    totals = labelled.sum(axis=0)
    remarks += _odd(found, names, totals)
    return Findings(
        problems=tuple(problems),
        remarks=tuple(remarks),
        pictures=len(counts),
        shown=dict(zip(names, (labelled > 0).sum(axis=0).tolist(), strict=True)),
        shares=dict(zip(names, (totals / max(totals.sum(), 1)).tolist(), strict=True)),
        ignored=float(ignored / max(counts.sum(), 1)),
    )


def _count(record: Record, found: Annotated, classes: int) -> np.ndarray | str:
    """Pixels of each class and of none (C + 1,), or a sentence that says why there are none."""
    if reason := look(record.image).flaw:
        return f"{record.image.path} is left out: {reason}."
    try:
        mask = read_mask(record.mask, found.meaning)
    except (OSError, ValueError) as error:
        return f"{_name(record)} is left out: {error}."
    counts = np.bincount(mask.ravel(), minlength=IGNORED + 1)
    return np.append(counts[:classes], counts[IGNORED])


def _odd(found: Annotated, names: Sequence[str], totals: np.ndarray):
    """A sentence for each class that is nowhere, or for the only one that there is."""
    there = np.flatnonzero(totals)
    if len(there) == 1:
        yield f"{found.path}: all pixels are {names[there[0]]}; there is nothing to tell apart."
    elif len(there):
        for name in (names[i] for i in np.flatnonzero(totals == 0)):
            yield f"{found.path}: {name} is in no mask."


def _name(record: Record):
    return f"the mask of {record.image.path}" if isinstance(record.mask, bytes) else record.mask
