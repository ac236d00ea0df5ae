"""Readers of annotation files for training and evaluation, by the name of the file format.

A reader takes the file, the folder of its images, and a function that receives a line for each
record that is left out.
"""

import dataclasses
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import numpy as np

from hrnet_tf.names import check_choice
from hrnet_tf.training.data.coco_json import CocoFile, image_files, read_coco_json
from hrnet_tf.training.data.sources import ImageFile, Report, check_paths, to_stderr
from hrnet_tf.training.pose.readers.coco import (
    Record,
    annotated_box,
    clean_boxes,
    people_of,
    read_coco,
    trainable,
)
from hrnet_tf.training.pose.readers.landmarks import face_box, read_landmarks
from hrnet_tf.training.pose.readers.mpii import read_mpii

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
    """

    path: Path
    data_format: str
    everyone: list[Record]
    images: Mapping[int, ImageFile]
    coco: CocoFile | None


def read(
    data_format: str,
    annotations: str | Path,
    images_dir: str | Path,
    report: Report = to_stderr,
) -> Annotations:
    """Reads an annotation file.

    Raises:
        FileNotFoundError: there is no such file or folder.
        ValueError: the file is not in this format, or the format is unknown.
    """
    check_choice("data_format", data_format, READERS)
    path, folder = check_paths(annotations, images_dir)
    faces = data_format == "landmarks" and path.suffix.lower() == ".json"
    if data_format != "coco" and not faces:
        return Annotations(path, data_format, READERS[data_format](path, folder, report), {}, None)
    coco = read_coco_json(path)
    images, known = image_files(coco, folder, report)
    everyone = people_of(coco, images, known, report, face_box if faces else annotated_box)
    return Annotations(path, data_format, everyone, images, coco)


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
            reason = "its box lies outside the image" if record.area > 0 else "its area is 0"
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
