"""Checks a data set before training, and lists its problems.

A bad record gets one line, and the check continues with the next record.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hrnet_tf.labels.keypoints import KeypointSet, plain_name
from hrnet_tf.training.data.sources import Note
from hrnet_tf.training.pose.readers import Annotations, check_names, read, to_train_on
from hrnet_tf.training.pose.readers.coco import Record
from hrnet_tf.training.pose.readers.doubts import doubts
from hrnet_tf.training.pose.readers.oddities import oddities
from hrnet_tf.training.pose.readers.pictures import readable

ENOUGH = 20  # smallest number of people from which exchanged sides are inferred


@dataclass(frozen=True)
class Findings:
    """The results of `check`.

    Attributes:
        problems: a sentence for each thing that training leaves out or cannot use.
        remarks: a sentence for each thing that looks wrong, but is used in training.
        images: number of images with people to train on.
        people: number of people to train on.
        crowds, unlabelled: numbers of people who are left out because they are a crowd, or because
            none of their keypoints is labelled. Both are usual.
        labelled: keypoint name -> number of people to train on in whom it is labelled.
    """

    problems: tuple[str, ...]
    remarks: tuple[str, ...]
    images: int
    people: int
    crowds: int
    unlabelled: int
    labelled: Mapping[str, int]


def check(
    annotations: str | Path,
    images_dir: str | Path,
    keypoints: KeypointSet,
    data_format: str = "coco",
) -> Findings:
    """Reads all records and decodes all of their images.

    Args:
        annotations: the annotation file.
        images_dir: the folder that its file names are relative to.
        keypoints: the keypoints that the file should have.
        data_format: a name of `READERS`.

    Raises:
        FileNotFoundError: there is no such file or folder.
        ValueError: the file is not of this format, or there is no such format.
    """
    problems = []
    found = read(data_format, annotations, images_dir, problems.append, keypoints)
    return examine(found, keypoints, problems)


def examine(found: Annotations, keypoints: KeypointSet, problems: Sequence[str] = ()) -> Findings:
    """Checks a file that has been read, and decodes all of its images.

    Args:
        found: the annotations.
        keypoints: the keypoints that the file should have.
        problems: the lines that the reader reported.
    """
    annotations, everyone = found.path, found.everyone
    remarks = [line for line in problems if isinstance(line, Note)]
    problems = [line for line in problems if not isinstance(line, Note)]
    if found.coco:
        problems += [f"{annotations}: {line}." for line in found.coco.double_ids()]
        try:
            check_names(found, keypoints, remarks.append)
        except ValueError as error:
            problems.append(str(error))
    people = to_train_on(everyone, found.data_format, problems.append)
    people = readable(people, problems.append, decode=True)
    if not people:
        problems.append(f"{annotations}: there is nobody to train on.")
    names = keypoints.names
    if people and len(people[0].keypoints) != len(names):
        count = len(people[0].keypoints)
        problems.append(
            f"{annotations}: people have {count} keypoints, the set {keypoints.name!r} has "
            f"{len(names)}; take the one that fits."
        )
        names = tuple(map(str, range(count)))
    else:
        remarks += _swapped(people, keypoints)
    remarks += doubts(found, keypoints, one_by_one=False)
    for what, mask in oddities(people, found.data_format == "coco").items():
        for row in np.flatnonzero(mask if mask.ndim == 1 else mask.any(axis=1)):
            where = f"{people[row].image.path}: annotation {people[row].id}"
            which = "" if mask.ndim == 1 else f": {_list(names, mask[row])}"
            remarks.append(f"{where}: {what}{which}.")
    remarks += _same(people)
    labelled = np.array([r.keypoints[:, 2] > 0 for r in people]).reshape(-1, len(names)).sum(axis=0)
    if people:
        never = [name for name, number in zip(names, labelled, strict=True) if not number]
        remarks += [f"{annotations}: {name} is labelled in nobody." for name in never]
    return Findings(
        problems=tuple(problems),
        remarks=tuple(remarks),
        images=len({record.image.path for record in people}),
        people=len(people),
        crowds=sum(record.crowd for record in everyone),
        unlabelled=sum(not r.crowd and not (r.keypoints[:, 2] > 0).any() for r in everyone),
        labelled=dict(zip(names, labelled.tolist(), strict=True)),
    )


def _list(names, mask):
    chosen = [name for name, each in zip(names, mask, strict=True) if each]
    more = f" and {len(chosen) - 5} more" if len(chosen) > 6 else ""
    return ", ".join(chosen[:5] if more else chosen) + more


def _same(people: Sequence[Record]) -> Iterator[str]:
    first = {}
    for record in people:
        other = first.setdefault((record.image.path, record.keypoints.tobytes()), record)
        if other is not record:
            yield f"{record.image.path}: annotations {other.id} and {record.id} are the same."


def _swapped(people: Sequence[Record], keypoints: KeypointSet) -> Iterator[str]:
    """A sentence if left and right seem to be exchanged in most people.

    A person who shows both eyes faces the camera, so the left eye is further right in the picture;
    this holds for all 132 such people in a part of COCO. In sets without eyes, all pairs of
    keypoints are added up; by that, 70 to 90 % of people have the left further right.
    """
    names = [plain_name(name) for name in keypoints.names]
    pairs = [p if names[p[0]].startswith("left") else p[::-1] for p in keypoints.flip_pairs]
    pairs = [(a, b) for a, b in pairs if names[a].startswith("left")]
    eyes = [(a, b) for a, b in pairs if "eye" in names[a].split("_")]
    lefts, rights = np.array(eyes or pairs, int).reshape(-1, 2).T
    if not len(lefts) or not people:
        return
    points = np.array([record.keypoints for record in people])
    both = (points[:, lefts, 2] > 0) & (points[:, rights, 2] > 0)
    lead = np.where(both, points[:, lefts, 0] - points[:, rights, 0], 0).sum(axis=1)
    lead = lead[both.any(axis=1)]
    share = np.mean(lead < 0) if len(lead) else 0
    if len(lead) >= ENOUGH and share > 2 / 3:
        what = "eyes" if eyes else "keypoints"
        yield (
            f"In {share:.0%} of {len(lead)} people the left {what} are on the left of the right "
            "ones, as in a mirror. Left is the person's left: look at some pictures."
        )
