"""Checks the pictures of a recipe before training, and lists their problems.

A bad picture gets one line, and the check continues with the next one.
"""

import hashlib
import io
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from PIL import ExifTags, Image

from hrnet_tf.media.images import read_image
from hrnet_tf.training.classification.evaluator import places
from hrnet_tf.training.classification.pictures import Pictures

UNEQUAL = 10  # the largest class has more than this many times the pictures of the smallest


@dataclass(frozen=True)
class Findings:
    """The results of `examine`.

    Attributes:
        problems: a sentence for each picture or class that training leaves out or cannot use.
        remarks: a sentence for each thing that looks wrong, but is used in training.
        labelled: class -> number of pictures to train on.
        shown: how many pictures are evaluated on.
    """

    problems: tuple[str, ...]
    remarks: tuple[str, ...]
    labelled: Mapping[str, int]
    shown: int


def examine(
    pictures: Pictures,
    judged: Pictures | None,
    classes: tuple[str, ...],
    problems: list[str],
) -> Findings:
    """Decodes all pictures.

    Args:
        pictures: those to train on.
        judged: those to evaluate on.
        classes: names of the classes.
        problems: lines that the readers have reported.
    """
    found, remarks = list(problems), []
    counts = np.bincount(pictures.rows["label"], minlength=len(classes))
    labelled = dict(zip(classes, counts.tolist(), strict=True))
    found += [f"{name}: has no picture to train on." for name, n in labelled.items() if not n]
    if counts.max() > UNEQUAL * max(counts.min(), 1):
        most, least = classes[counts.argmax()], classes[counts.argmin()]
        remarks.append(
            f"{most} has {counts.max()} pictures, {least} has {counts.min()}: the network will "
            "prefer what it sees often."
        )
    digests = {}
    for name, reason, notes, digest in _looks(pictures):
        found += [f"{name}: {reason}"] if reason else []
        remarks += [f"{name}: {note}." for note in notes]
        if digest in digests:
            remarks.append(f"{name}: is the same picture as {digests[digest]}.")
        digests.setdefault(digest, name)
    for name, reason, _, digest in _looks(judged) if judged else ():
        found += [f"{name}: {reason}"] if reason else []
        if digest in digests:
            remarks.append(f"{name}: evaluation shows a picture of training, {digests[digest]}.")
    return Findings(tuple(found), tuple(remarks), labelled, len(judged) if judged else 0)


def _looks(pictures: Pictures) -> Iterator[tuple]:
    """(name, why it cannot be used, remarks, digest of the file) for each picture."""
    with ThreadPoolExecutor() as pool:
        yield from pool.map(_look, pictures.rows["name"], *places(pictures), chunksize=16)


def _look(name, path, part):
    try:
        read_image(path, apply_exif=False, part=part)
    except (OSError, ValueError) as error:
        return name, str(error), [], None
    with open(path, "rb") as file:
        file.seek(part[0])
        content = file.read(part[1])
    return name, "", _notes(content), hashlib.sha1(content).digest()


def _notes(content):
    with Image.open(io.BytesIO(content)) as image:
        turned = image.getexif().get(ExifTags.Base.Orientation, 1) != 1
    return ["is stored turned (EXIF), and training does not turn it"] if turned else []
