"""Reads annotated objects for training: images with boxes, classes and masks.

As in mmdetection, crowds, objects with `ignore`, boxes without an area, and boxes outside their
image are left out, and so are images without objects. Everything else that cannot be used is named.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hrnet_tf.cards.detection import DetectionCard
from hrnet_tf.training.data.coco_json import CocoFile, image_files
from hrnet_tf.training.data.sources import ImageFile, Report, look, to_stderr
from hrnet_tf.training.detection.annotations import read_annotations
from hrnet_tf.training.detection.categories import chosen, matched
from hrnet_tf.training.detection.objects import Reasons
from hrnet_tf.training.detection.truth import Truth, read_truth

LEAST_SIDE = 1.0  # pixels of a box, also of what is left of it in a view
LEAST_IMAGE = 32  # pixels of an image's shorter side


@dataclass(frozen=True, eq=False)
class Record:
    """An image and its objects.

    Attributes:
        image: the file.
        boxes: (K, 4) x1, y1, x2, y2 in pixels, within the image.
        classes: (K,) indices of the card's classes.
        masks: COCO's compressed run lengths of each object, empty where it has no mask.
        crowds: number of crowds, which are not trained on.
    """

    image: ImageFile
    boxes: np.ndarray
    classes: np.ndarray
    masks: Sequence[str]
    crowds: int = 0


def read(
    annotations: str,
    images: str,
    card: DetectionCard,
    report: Report = to_stderr,
    coco: CocoFile | None = None,
    classes: Sequence[str] | None = None,
) -> tuple[Record, ...]:
    """The images of an annotation file that can be trained on, in the order of their ids.

    Args:
        annotations: what `read_annotations` reads.
        images: folder of its images.
        card: has the classes, which the file's categories are matched with.
        report: receives a line for each image that is left out, and for each reason why objects
            are.
        coco: the parsed file, if there is one.
        classes: names of the categories to read; objects of others are left out. All if None.

    Raises:
        OSError: there is no such file or folder.
        ValueError: it is no such file, its categories are not those of the card, or no image can be
            used.
    """
    path, folder = Path(annotations), Path(images)
    if coco is None:
        coco, folder = read_annotations(annotations, images, report)
    truth, numbers = matched(chosen(read_truth(coco, report), classes, path), card, path)
    files, _ = image_files(coco, folder, report)
    files = {truth.images[key]: file for key, file in files.items()}
    found = _objects(path, truth, numbers, files, report)
    records, empty = [], []
    for number, file in files.items():
        if number not in found:
            empty.append(file.path.name)
        elif min(file.size) < LEAST_IMAGE:
            report(f"{file.path} is left out: a side has fewer than {LEAST_IMAGE} pixels.")
        else:
            seen = look(file, decode=False)
            if line := seen.line(file.path):
                report(line)
            if not seen.flaw:
                records.append(found[number])
    if empty:
        more = f", such as {', '.join(empty[:3])}" if len(empty) > 3 else f": {', '.join(empty)}"
        report(f"{path}: {len(empty)} images without objects are left out{more}.")
    if not records:
        raise ValueError(f"{path} must have objects in images of {folder}. None can be used.")
    return tuple(sorted(records, key=lambda record: str(record.image.path)))


def _objects(path, truth: Truth, numbers, files, report) -> dict[int, Record]:
    """Number of each image with objects -> its record."""
    classes = {number: index for index, number in numbers.items()}
    rows, crowds, reasons = {}, {}, Reasons()
    for position, each in enumerate(truth.annotations):
        image = each["image_id"]
        if image not in files or each["ignore"]:
            continue
        if each["iscrowd"]:
            crowds[image] = crowds.get(image, 0) + 1
            continue
        height, width = files[image].size
        x, y, w, h = each["bbox"]
        box = np.clip([x, y, x + w, y + h], 0, [width, height, width, height])
        name = f"object {position + 1} of {files[image].path.name}"
        if min(w, h) < LEAST_SIDE or each["area"] <= 0:
            reasons.add(name, ValueError("its box or its area is below a pixel"))
        elif min(box[2:] - box[:2]) <= 0:
            reasons.add(name, ValueError("its box lies outside the image"))
        else:
            mask = each.get("segmentation", {}).get("counts", "")
            rows.setdefault(image, []).append((box, classes[each["category_id"]], mask))
    reasons.report(path, report)
    return {
        image: Record(
            files[image],
            np.float32([box for box, _, _ in own]),
            np.int32([kind for _, kind, _ in own]),
            [mask for _, _, mask in own],
            crowds.get(image, 0),
        )
        for image, own in rows.items()
    }
