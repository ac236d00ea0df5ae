"""Reads the boxes of people from COCO's files."""

import json
import os
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from hrnet_tf.media.find import coco_id


@dataclass(frozen=True)
class BoxFile:
    """Boxes of a COCO json: `box_file(path, image)` gives those of a picture, ((N, 4), (N,)).

    A picture is found under the end of its path, its name, or the 12 digits of COCO's names.
    """

    path: Path
    ids: dict[str, int]  # file name -> image id
    boxes: dict[int, list[list[float]]]  # image id -> [x, y, w, h, score] each
    lists_all: bool  # whether the file also lists pictures without people
    sizes: dict[int, tuple[int, int]] = field(default_factory=dict)  # image id -> (height, width)

    def image_id(self, path: str | os.PathLike) -> int | None:
        """The id of a picture, or None if the file does not have it."""
        parts = Path(path).parts
        for start in range(len(parts)):
            if (name := "/".join(parts[start:])) in self.ids:
                return self.ids[name]
        number = coco_id(path)
        return number if not self.lists_all or number in self.ids.values() else None

    def __call__(self, path, image) -> tuple[np.ndarray, np.ndarray]:
        image_id = self.image_id(path)
        if image_id is None and (self.lists_all or not self.ids):
            raise ValueError(
                f"{path}: {self.path} does not list it; add it there, or predict it without boxes."
            )
        self._check_size(path, image, image_id)
        rows = np.array(self.boxes.get(image_id, []), np.float64).reshape(-1, 5)
        return rows[:, :4], rows[:, 4]

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


def read_boxes(path: str | os.PathLike, score_threshold: float = 0.3) -> BoxFile:
    """Reads the boxes of COCO annotations or of a detector's COCO results.

    Crowds, boxes without area and categories other than person are left out (without a list of
    categories, 1 is the person). Annotations count as detections of score 1.

    Args:
        path: a json file: an object with "images" and "annotations", or a list of detections.
        score_threshold: detections with a lower score are left out.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is not such a json; the message names the first bad entry.
    """
    path = Path(path)
    try:
        content = json.loads(path.read_bytes())  # which tells the encoding
    except RecursionError:
        raise ValueError(f"{path}: JSON that is nested too deeply.") from None
    except ValueError as error:
        raise ValueError(f"{path}: not a json file ({error}).") from error
    lists_all = isinstance(content, dict)
    try:
        entries = content["annotations"] if lists_all else list(content)
        images = content["images"] if lists_all else [e for e in entries if "file_name" in e]
        ids = _ids_by_name(images)
        people = _people(content.get("categories") or [] if lists_all else [], entries, path)
    except (KeyError, TypeError, AttributeError):
        raise ValueError(
            f"{path}: neither COCO annotations (an object with 'images' and 'annotations') "
            "nor COCO results (a list of detections)."
        ) from None
    boxes = {}
    for index, entry in enumerate(entries):
        try:
            image_id, box, score = _box(entry)
            category = _identity(entry.get("category_id"))
            wanted = (category is None or category in people) and not entry.get("iscrowd", 0)
            if wanted and score >= score_threshold and not (box[2] <= 0 or box[3] <= 0):
                boxes.setdefault(image_id, []).append([*box, score])
        except (KeyError, TypeError, ValueError, AttributeError):
            raise ValueError(
                f"{path}: entry {index} needs an 'image_id', a 'bbox' of four numbers "
                f"[x, y, width, height] and, if any, a 'score' that is a number."
            ) from None
    return BoxFile(path, ids, boxes, lists_all, _sizes(images))


def _ids_by_name(images):
    """Image ids by file name, and by its last part where no other image shares that."""
    names = {
        image["file_name"].replace("\\", "/"): _identity(image.get("image_id", image.get("id")))
        for image in images
    }
    short = {}
    for name, image_id in names.items():
        short.setdefault(name.rsplit("/", 1)[-1], set()).add(image_id)
    return {name: ids.pop() for name, ids in short.items() if len(ids) == 1} | names


def _sizes(images):
    """Sizes by image id; images without whole numbers have none."""
    found = {_identity(each.get("id")): (each.get("height"), each.get("width")) for each in images}
    return {i: size for i, size in found.items() if all(type(s) is int and s > 0 for s in size)}


def _people(categories, entries, path):
    """The ids of the category of people; raises ValueError if nothing tells which it is."""
    named = {_identity(c["id"]): c.get("name") for c in categories}
    if named:
        people = {i for i, name in named.items() if str(name).lower() in ("person", "people")}
        # AP-10K and others have no category "person"; their networks know all categories.
        return people or set(named)
    counts = Counter(_identity(entry.get("category_id", 1)) for entry in entries)
    if len(counts) < 2:
        return set(counts)
    if 1 in counts and 0 not in counts:
        return {1}  # as COCO counts
    kinds = ", ".join(f"{each} ({number} boxes)" for each, number in counts.most_common(5))
    raise ValueError(
        f"{path}: nothing tells which `category_id` is a person. COCO's is 1, and there are "
        f"{kinds}. Leave only the boxes of people."
    )


def _identity(value):
    """An id that is a whole number in another form, such as "7", as an integer."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    whole = isinstance(value, str) and value.isdecimal() and str(int(value)) == value
    return int(value) if whole else value


def _box(entry):
    x, y, w, h = map(float, entry["bbox"])
    return _identity(entry["image_id"]), (x, y, w, h), float(entry.get("score", 1.0))
