"""Reads the boxes of people from COCO's files.

Whatever has one meaning is read, as by the readers of training: ids of any kind, numbers in quotes,
boxes that only keypoints give. An entry that cannot be used costs a line.
"""

import logging
import os
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np

from hrnet_tf.files import existing, parse_json
from hrnet_tf.media.find import coco_id
from hrnet_tf.media.images import read_image
from hrnet_tf.tasks.detection.box_entries import (
    Id,
    Note,
    Reasons,
    box_of,
    identity,
    is_id,
    suspect,
)

LOG = logging.getLogger(__name__)

PARTS = ("images", "annotations")


@dataclass(frozen=True)
class BoxFile:
    """Boxes of a COCO json: `box_file(path, image)` gives those of a picture, ((N, 4), (N,)).

    A picture is found under the end of its path, its name, or the 12 digits of COCO's names.
    """

    path: Path
    ids: dict[str, Id]  # file name -> image id
    boxes: dict[Id, list[list[float]]]  # image id -> [x, y, w, h, score] each
    lists_all: bool  # whether the file also lists pictures without people
    sizes: dict[Id, tuple[int, int]] = field(default_factory=dict)  # image id -> (height, width)
    passed_over: dict[str, int] = field(default_factory=dict)  # boxes without use, by reason

    def image_id(self, path: str | os.PathLike) -> Id | None:
        """The id of a picture, or None if the file does not have it."""
        parts = Path(path).parts
        for start in range(len(parts)):
            if (name := "/".join(parts[start:])) in self.ids:
                return self.ids[name]
        number = coco_id(path)
        return number if not self.lists_all or number in self.ids.values() else None

    def read_image(self, path: str | os.PathLike) -> np.ndarray:
        """The pixels that the boxes are of: as stored, if only these have the size in the file."""
        image, size = read_image(path), self.sizes.get(self.image_id(path))
        if size and image.shape[:2] != size and image.shape[1::-1] == size:
            stored = read_image(path, apply_exif=False)
            return stored if stored.shape[:2] == size else image
        return image

    def __call__(self, path, image) -> tuple[np.ndarray, np.ndarray]:
        image_id = self.image_id(path)
        if image_id is None and (self.lists_all or not self.ids):
            raise ValueError(
                f"{path}: {self.path} does not list it; add it there, or predict it without boxes."
            )
        self._check_size(path, image, image_id)
        rows = np.array(self.boxes.get(image_id, []), np.float64).reshape(-1, 5)
        return rows[:, :4], rows[:, 4]

    def nothing(self) -> str:
        """A sentence for a run in which no box was used."""
        counts = ", ".join(f"{count} {reason}" for reason, count in self.passed_over.items())
        used = sum(map(len, self.boxes.values()))
        words = f"{self.path}: no box there belongs to these pictures; {used} are of others"
        return f"{words}, {counts}." if counts else f"{words}."

    def _check_size(self, path, image, image_id):
        """Boxes of a picture that was resized or turned would show other things."""
        size = self.sizes.get(image_id)
        if image is not None and size and image.shape[:2] != size:
            height, width = image.shape[:2]
            turned = ", as its EXIF orientation says" if (width, height) == size else ""
            raise ValueError(
                f"{path}: it is {width} x {height} pixels{turned}, and by `width` and `height` in "
                f"{self.path} it was {size[1]} x {size[0]}; use the annotated pictures."
            )


def read_boxes(
    path: str | os.PathLike, score_threshold: float = 0.3, note: Note = LOG.warning
) -> BoxFile:
    """Reads the boxes of COCO annotations or of a detector's COCO results.

    Crowds, boxes without area and categories other than person are left out (without a list of
    categories, 1 is the person). Annotations count as detections of score 1. An entry that cannot
    be used does not end the reading.

    Args:
        path: a json file: an object with "images" and "annotations", or a list of detections.
        score_threshold: detections with a lower score are left out.
        note: receives a line for each reason why entries cannot be used, and for what looks wrong.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is not such a json, or no entry can be used.
    """
    path = Path(path)
    content = _content(path)
    lists_all = isinstance(content, dict)
    entries = content["annotations"] if lists_all else content
    reasons = Reasons(path, "entry", note)
    images = _images(content["images"] if lists_all else entries, lists_all, path, note)
    people = _people(content.get("categories") if lists_all else None, entries, path)
    boxes, passed_over, known = {}, Counter(), set(images.ids.values())
    for index, entry in enumerate(entries):
        try:
            image_id, box, score = box_of(entry)
            if lists_all and image_id not in known:
                raise ValueError("its `image_id` is not in `images`")
            category = identity(entry.get("category_id"))
            if reason := _useless(entry, category in people, box, score, score_threshold):
                passed_over[reason] += 1
            else:
                boxes.setdefault(image_id, []).append([*box, score])
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            reasons.add(index, error)
    if entries and reasons.count == len(entries):
        raise ValueError(f"{path}: no entry can be used; the first: {reasons.first}.")
    reasons.report()
    suspect(path, boxes, images.sizes, note)
    return BoxFile(path, images.ids, boxes, lists_all, images.sizes, dict(passed_over))


def _content(path):
    """The parsed file: an object with two lists, or a list."""
    content = parse_json(existing(path).read_bytes(), path)
    lists = [content] if not isinstance(content, dict) else map(content.get, PARTS)
    if not all(isinstance(each, list) for each in lists):
        raise ValueError(
            f"{path}: neither COCO annotations (an object with 'images' and 'annotations') "
            "nor COCO results (a list of detections)."
        )
    return content


class _Images(NamedTuple):
    ids: dict  # file name -> image id
    sizes: dict  # image id -> (height, width)


def _images(entries, lists_all, path, note):
    """The ids of pictures by their names, and by the last part of names that no other shares."""
    names, sizes, reasons = {}, {}, Reasons(path, "image", note)
    for index, entry in enumerate(entries):
        if not lists_all and not (isinstance(entry, dict) and entry.get("file_name")):
            continue
        try:
            name, image_id = entry["file_name"], identity(entry["id" if lists_all else "image_id"])
            if not isinstance(name, str) or not isinstance(image_id, int | str):
                raise ValueError("its `file_name` or its id is of no use")
            if lists_all and image_id in names.values():
                raise ValueError("another image has its `id`")
            names[name.replace("\\", "/")] = image_id
            size = entry.get("height"), entry.get("width")
            if all(type(side) is int and side > 0 for side in size):
                sizes[image_id] = size
        except (KeyError, TypeError, ValueError) as error:
            reasons.add(index, error)
    reasons.report()
    short = {}
    for name, image_id in names.items():
        short.setdefault(name.rsplit("/", 1)[-1], set()).add(image_id)
    ids = {name: found.pop() for name, found in short.items() if len(found) == 1}
    return _Images(ids | names, sizes)


def _people(categories, entries, path):
    """The ids of the category of people; raises ValueError if nothing tells which it is."""
    categories = [c for c in categories or () if isinstance(c, dict) and "id" in c]
    named = {identity(c["id"]): str(c.get("name")).lower() for c in categories}
    if named:
        people = {i for i, name in named.items() if name in ("person", "people", "persons")}
        # AP-10K and others have no category "person"; their networks know all categories.
        return {*(people or named), None}
    kinds = [identity(each.get("category_id")) for each in entries if isinstance(each, dict)]
    counts = Counter(1 if kind is None else kind for kind in kinds if is_id(kind))
    if len(counts) < 2:
        return {*counts, None}
    if 1 in counts and 0 not in counts:
        return {1, None}  # as COCO counts
    kinds = ", ".join(f"{each} ({number} boxes)" for each, number in counts.most_common(5))
    raise ValueError(
        f"{path}: nothing tells which `category_id` is a person. COCO's is 1, and there are "
        f"{kinds}. Leave only the boxes of people."
    )


def _useless(entry, of_people, box, score, least):
    """Why a box is left out that is as it should be; empty if it is used."""
    if not of_people:
        return "are of other categories"
    if entry.get("iscrowd") in (1, "1", True):
        return "are of crowds"
    if min(box[2:]) <= 0:
        return "are empty"
    return "" if score >= least else f"have a score below {least:g}"
