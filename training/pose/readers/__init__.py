"""Readers of annotation files for training and evaluation, by the name of the file format.

A reader takes the file, the folder of its images, and a function that receives a line for each
record that is left out.
"""

import dataclasses
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import numpy as np

from hrnet_tf.labels.keypoints import KeypointSet, plain_name
from hrnet_tf.names import check_choice
from hrnet_tf.training.data.coco_json import CocoFile, image_files, read_coco_json
from hrnet_tf.training.data.sources import ImageFile, Report, check_paths, to_stderr
from hrnet_tf.training.pose.readers.categories import fits, keypoint_names, wanted
from hrnet_tf.training.pose.readers.coco import (
    Record,
    box_or_around,
    clean_boxes,
    people_of,
    read_coco,
    trainable,
)
from hrnet_tf.training.pose.readers.landmarks import face_box, read_landmarks
from hrnet_tf.training.pose.readers.mpii import read_mpii
from hrnet_tf.training.pose.readers.pictures import readable

Reader = Callable[..., list[Record]]  # (annotations, images_dir, report)

# Readers of all people in a file, with the annotated boxes.
READERS: dict[str, Reader] = {"coco": read_coco, "mpii": read_mpii, "landmarks": read_landmarks}


@dataclasses.dataclass(frozen=True, eq=False)
class Annotations:
    """The content of an annotation file, for training, checks and evaluation.

    Attributes:
        path: the file.
        data_format: a name of `READERS`.
        everyone: all people in the file, with the annotated boxes.
        images: images by id, with and without people; empty if the format lists only people.
        coco: the parsed file, if it is in COCO's format; otherwise None.
        categories: ids of the categories that are read.
    """

    path: Path
    data_format: str
    everyone: list[Record]
    images: Mapping[int, ImageFile]
    coco: CocoFile | None
    categories: tuple = ()


def read(
    data_format: str,
    annotations: str | Path,
    images_dir: str | Path,
    report: Report = to_stderr,
    keypoints: KeypointSet | None = None,
    category: str | None = None,
) -> Annotations:
    """Reads an annotation file.

    Args:
        data_format: a name of `READERS`.
        annotations: the file.
        images_dir: the folder that its file names are relative to.
        report: receives a line for each record that is left out.
        keypoints: the set that is meant where a COCO-format file has several categories.
        category: name or id of the only category to read of a COCO-format file.

    Raises:
        FileNotFoundError: there is no such file or folder.
        ValueError: the file is not in this format, the format is unknown, or it is not clear which
            category is meant.
    """
    check_choice("data_format", data_format, READERS)
    path, folder = check_paths(annotations, images_dir)
    faces = data_format == "landmarks" and path.suffix.lower() == ".json"
    if data_format != "coco" and not faces:
        return Annotations(path, data_format, READERS[data_format](path, folder, report), {}, None)
    coco = read_coco_json(path, report)
    images, known = image_files(coco, folder, report)
    box = face_box if faces else box_or_around
    everyone = people_of(coco, images, known, report, box, keypoints, category)
    ids = tuple(each["id"] for each in wanted(coco, keypoints, category))
    return Annotations(path, data_format, everyone, images, coco, ids)


def usable(found: Annotations, report: Report = to_stderr) -> Annotations:
    """The annotations without people in images that cannot be used; see `pictures.readable`."""
    everyone = readable(found.everyone, report)
    bad = {record.image.id for record in found.everyone} - {each.image.id for each in everyone}
    images = {key: image for key, image in found.images.items() if key not in bad}
    return dataclasses.replace(found, everyone=everyone, images=images)


def check_names(found: Annotations, keypoints: KeypointSet, report: Report = to_stderr) -> None:
    """Compares the names of keypoints in a COCO-format file with those of a set of as many.

    Other names are reported.

    Raises:
        ValueError: the names are those of the set in another order.
    """
    for category in found.coco.categories if found.coco else ():
        names = keypoint_names(category)
        if len(names) != len(keypoints.names) or fits(names, keypoints):
            continue
        theirs, ours = list(map(plain_name, names)), list(map(plain_name, keypoints.names))
        place = next(i for i in range(len(ours)) if theirs[i] != ours[i])
        line = (
            f"{found.path}: keypoint {place} is called {names[place]!r} in the category "
            f"{category.get('name')!r} and {keypoints.names[place]!r} in the set {keypoints.name!r}"
        )
        if sorted(theirs) == sorted(ours):
            raise ValueError(
                f"{line}: its `keypoints` have another order. Put names and numbers into that of "
                "the set, or train with the file as --keypoints."
            )
        if category["id"] in found.categories:
            report(f"{line}; is it the same?")


def to_train_on(
    everyone: list[Record], data_format: str, report: Report = to_stderr
) -> list[Record]:
    """The people to train on: no crowds, at least one labelled keypoint, and a usable box.

    COCO's boxes are clipped as in the original; people whose boxes have no area or lie outside
    their image are reported and left out.
    """
    records = trainable(everyone)
    if data_format != "coco":
        return records
    boxes, keep = clean_boxes(
        np.array([record.box for record in records]).reshape(-1, 4),
        np.array([record.area for record in records]),
        np.array([record.image.size for record in records]).reshape(-1, 2),
    )
    for record, kept in zip(records, keep, strict=True):
        if not kept:
            reason = "its `bbox` lies outside the image" if record.area > 0 else "its area is 0"
            report(f"{record.image.path}: annotation {record.id} is left out: {reason}.")
    rows = zip(records, boxes, keep, strict=True)
    return [dataclasses.replace(record, box=box) for record, box, kept in rows if kept]


def _read(
    data_format: str,
    annotations: str | Path,
    images_dir: str | Path,
    report: Report = to_stderr,
) -> list[Record]:
    return to_train_on(READERS[data_format](annotations, images_dir, report), data_format, report)


# Readers of the people to train on.
FORMATS: dict[str, Reader] = {name: partial(_read, name) for name in READERS}
