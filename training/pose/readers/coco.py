"""Reads COCO-format keypoint annotations into plain records.

It reads COCO, COCO-WholeBody, CrowdPose, AI Challenger, OCHuman, Halpe, hands, animals, and any
other file with lists `images` and `annotations`, in which annotations have `bbox` and `keypoints`.
"""

from collections import Counter
from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hrnet_tf.training.data.coco_json import CocoFile, image_files, read_coco_json
from hrnet_tf.training.data.sources import ImageFile, Report, check_paths, left_out, to_stderr

# CrowdPose's evaluation takes this share of a box for the area of a person.
AREA_OF_BOX = 0.53
PARTS = ("foot", "face", "lefthand", "righthand")  # COCO-WholeBody's further parts, in order


@dataclass(frozen=True, eq=False)
class Record:
    """One annotated person.

    `box` (4,) is x, y, w, h in image pixels; `keypoints` (K, 3) are x, y and COCO's visibility
    (0 unlabelled, 1 hidden, 2 seen; anything above 0 is labelled); `area` is that of the person's
    segment, in square pixels.
    """

    id: int
    image: ImageFile
    box: np.ndarray
    keypoints: np.ndarray
    area: float
    crowd: bool


def annotated_box(annotation: Mapping, keypoints: np.ndarray) -> np.ndarray:
    """The unchanged box (4,) of an annotation.

    Raises:
        KeyError, TypeError, ValueError: there is no box, or it is not four numbers.
    """
    box = np.array(annotation["bbox"], np.float64)
    if box.shape != (4,) or not np.isfinite(box).all():
        raise ValueError(f"its box is {annotation['bbox']}, not four numbers")
    if (box[2:] <= 0).any():
        raise ValueError(f"its box is empty: {annotation['bbox']}")
    return box


def read_coco(
    annotations: str | Path,
    images_dir: str | Path,
    report: Report = to_stderr,
    box: Callable[[Mapping, np.ndarray], np.ndarray] = annotated_box,
) -> list[Record]:
    """Reads every person of a COCO keypoint file; see `people_of`.

    Raises:
        FileNotFoundError: there is no such file or folder.
        ValueError: the file is not COCO keypoint JSON.
    """
    annotations, folder = check_paths(annotations, images_dir)
    coco = read_coco_json(annotations)
    return people_of(coco, *image_files(coco, folder, report), report, box)


def people_of(
    coco: CocoFile,
    images: Mapping[int, ImageFile],
    known: Container[int],
    report: Report = to_stderr,
    box: Callable[[Mapping, np.ndarray], np.ndarray] = annotated_box,
) -> list[Record]:
    """Every person of a parsed file, crowds and persons without keypoints included.

    The number of keypoints K is that of most annotations; `categories` need not list keypoints. An
    annotation without `area` gets 0.53 of its box's area. Unusable annotations are left out, and
    `report` receives a line for each.

    Args:
        coco: the parsed file.
        images: the usable images by id, from `image_files`.
        known: the ids of all images; people in unusable ones of these are not reported again.
        report: receives a line for each annotation that is left out.
        box: (annotation, its keypoints (K, 3)) -> its box (4,).

    Raises:
        ValueError: no annotation has keypoints.
    """
    entries = _with_keypoints(coco)
    sizes = Counter(_size(entry) for _, entry in entries)
    sizes.pop(None, None)
    if not sizes:
        raise ValueError(
            "`annotations` must have `keypoints`. "
            f"Received: annotations={coco.path}. COCO's are called person_keypoints_*.json."
        )
    size = sizes.most_common(1)[0][0]
    records = []
    for position, entry in entries:
        try:
            record = _record(entry, images, known, size, box)
        except (KeyError, TypeError, ValueError) as error:
            name = entry.get("id") if isinstance(entry, dict) else None
            name = f"number {position + 1}" if name is None else name
            report(left_out(coco.path, f"annotation {name}", error))
        else:
            records += [record] if record else []
    return records


def all_keypoints(annotation: Mapping) -> list:
    """The `keypoints` of an annotation, x, y, v, …; for whole bodies those of all parts, 133.

    The parts follow in the order of `keypoints.COCO_WHOLEBODY`: body, feet, face, left hand, right
    hand. Parts marked as invalid count as unlabelled (COCO-WholeBody, Jin et al. ECCV 2020).
    """
    keypoints = annotation["keypoints"]
    if not all(f"{part}_kpts" in annotation for part in PARTS):
        return keypoints
    joined = [*keypoints]
    for part in PARTS:
        points = annotation[f"{part}_kpts"]
        joined += points if annotation.get(f"{part}_valid", True) else [0] * len(points)
    return joined


def trainable(records: list[Record]) -> list[Record]:
    """The persons that the original trains on: no crowds, at least one labelled keypoint."""
    return [r for r in records if not r.crowd and r.keypoints[:, 2].max() > 0]


def clean_boxes(
    boxes: np.ndarray, areas: np.ndarray, sizes: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Clips boxes to their images as the original does (`lib/dataset/coco.py`).

    Args:
        boxes: (N, 4) x, y, w, h in image pixels.
        areas: (N,) annotated areas.
        sizes: (N, 2) height and width of the images.

    Returns:
        The clipped boxes (N, 4), which are one pixel smaller since the original measures from the
        first to the last pixel, and a mask (N,) of the usable ones.
    """
    boxes, sizes = np.asarray(boxes, np.float64), np.asarray(sizes, np.float64)
    low = np.maximum(boxes[:, :2], 0)
    high = np.minimum(sizes[:, ::-1] - 1, low + np.maximum(boxes[:, 2:] - 1, 0))
    keep = (np.asarray(areas) > 0) & (high >= low).all(axis=1)
    return np.concatenate((low, high - low), axis=1), keep


def _with_keypoints(coco):
    """(place, annotation) pairs of categories with keypoints, or of all if no category has any."""
    categories = [each for each in coco.categories if isinstance(each, dict) and "id" in each]
    others = [each["id"] for each in categories if not each.get("keypoints")]
    if len(others) == len(categories):
        others = []
    return [
        (place, entry)
        for place, entry in enumerate(coco.annotations)
        if not isinstance(entry, dict) or entry.get("category_id") not in others
    ]


def _size(entry):
    """The length of an annotation's list of keypoints; None if it has no such list."""
    try:
        size = len(all_keypoints(entry))
    except (KeyError, TypeError):
        return None
    return size if size and size % 3 == 0 else None


def _record(annotation, images, known, size, box) -> Record | None:
    """Checks an annotation and makes its record; None if its image was reported as unusable."""
    image_id = annotation["image_id"]
    if image_id not in images:
        if image_id in known:  # its image has been reported already
            return None
        raise ValueError(f"no image has the id {image_id}")
    keypoints = np.array(all_keypoints(annotation), np.float64)
    if keypoints.shape != (size,):
        raise ValueError(f"`keypoints` has {keypoints.size} values, not {size}")
    if not np.isfinite(keypoints).all():
        raise ValueError("`keypoints` has a value that is not a number")
    keypoints = keypoints.reshape(-1, 3)
    place = box(annotation, keypoints)
    area = float(annotation.get("area", AREA_OF_BOX * float(place[2]) * float(place[3])))
    if not np.isfinite(area):
        raise ValueError(f"its area is {area}")
    crowd = bool(annotation.get("iscrowd", 0))
    return Record(annotation["id"], images[image_id], place, keypoints, area, crowd)
