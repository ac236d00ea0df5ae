"""Reads COCO-format keypoint annotations into plain records.

It reads COCO, COCO-WholeBody, CrowdPose, AI Challenger, OCHuman, Halpe, hands, animals, and any
other file with lists `images` and `annotations`, in which annotations have `keypoints`. What has
one meaning is read: keypoints as triples or without visibility, null or NaN for what is not
labelled, no boxes. Derived values (`num_keypoints`) are not read at all.
"""

from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hrnet_tf.labels.keypoints import KeypointSet
from hrnet_tf.training.data.coco_fields import annotated_area, annotated_box, is_crowd
from hrnet_tf.training.data.coco_json import CocoFile, image_files, read_coco_json
from hrnet_tf.training.data.coco_masks import area_inside
from hrnet_tf.training.data.sources import ImageFile, Report, check_paths, left_out, to_stderr
from hrnet_tf.training.pose.readers.categories import chosen, named
from hrnet_tf.training.pose.readers.points import points_of

# CrowdPose's evaluation takes this share of a box for the area of a person.
AREA_OF_BOX = 0.53
MARGIN = 0.1  # of the longer side of a box that is made around keypoints, on each side


@dataclass(frozen=True, eq=False)
class Record:
    """One annotated person.

    `id` is that of the file, for messages; ids may be missing or not unique. `box` (4,) is x, y, w,
    h in image pixels; `keypoints` (K, 3) are x, y and COCO's visibility (0 unlabelled, 1 hidden, 2
    seen; anything above 0 is labelled); `area` is that of the person's segment, in square pixels.
    """

    id: int | str
    image: ImageFile
    box: np.ndarray
    keypoints: np.ndarray
    area: float
    crowd: bool


Box = Callable[[Mapping, np.ndarray], np.ndarray]  # (annotation, its keypoints (K, 3)) -> box (4,)


def box_or_around(annotation: Mapping, keypoints: np.ndarray) -> np.ndarray:
    """The box (4,) of an annotation; without one, that around its labelled keypoints, enlarged.

    Raises:
        KeyError, TypeError, ValueError: there is no box, or it is not four numbers.
    """
    try:
        return annotated_box(annotation)
    except KeyError:
        points = keypoints[keypoints[:, 2] > 0, :2]
        if not len(points):
            raise ValueError("it has neither `bbox` nor labelled `keypoints`") from None
        low, high = points.min(axis=0), points.max(axis=0)
        margin = MARGIN * (high - low).max()
        if not margin:
            raise ValueError("it has no `bbox`, and one labelled keypoint gives none") from None
        return np.concatenate([low - margin, high - low + 2 * margin])


def read_coco(
    annotations: str | Path,
    images_dir: str | Path,
    report: Report = to_stderr,
    box: Box = box_or_around,
) -> list[Record]:
    """Reads every person of a COCO keypoint file; see `people_of`.

    Raises:
        FileNotFoundError: there is no such file or folder.
        ValueError: the file is not COCO keypoint JSON.
    """
    annotations, folder = check_paths(annotations, images_dir)
    coco = read_coco_json(annotations, report)
    return people_of(coco, *image_files(coco, folder, report), report, box)


def people_of(
    coco: CocoFile,
    images: Mapping[int, ImageFile],
    known: Container[int],
    report: Report = to_stderr,
    box: Box = box_or_around,
    keypoints: KeypointSet | None = None,
    category: str | None = None,
) -> list[Record]:
    """Every person of a parsed file, crowds and persons without keypoints included.

    The number of keypoints K is that of most annotations; `categories` need not list keypoints. An
    annotation without `area` gets that of its segment, or 0.53 of its box's area. Unusable
    annotations are left out, and `report` receives a line for each. A person who is there twice,
    with the same box and keypoints, is left out once.

    Args:
        coco: the parsed file.
        images: the usable images by id, from `image_files`.
        known: the ids of all images; people in unusable ones of these are not reported again.
        report: receives a line for each annotation that is left out.
        box: makes the boxes.
        keypoints: the set whose names choose among several categories; all of them if None.
        category: name or id of the only category to read.

    Raises:
        ValueError: no annotation has keypoints, or nothing tells which category is meant.
    """
    entries = chosen(coco, keypoints, category, report)
    names = len(keypoints.names) if keypoints else None
    points = points_of(coco, [entry for _, entry in entries], names, report)
    records, there, made = [], {}, 0
    for (place, entry), found, reach in zip(entries, points.found, points.reach, strict=True):
        name = named(entry, place)
        try:
            if isinstance(found, Exception):
                raise found
            image = _image(entry, images, known)
            if image is None:  # it has been reported already
                continue
            record = _record(entry, name, image, found, reach, box)
            mark = (image.id, record.crowd, record.box.tobytes(), found.tobytes())
            first = there.setdefault(mark, record)
            if first is not record and found[:, 2].any():
                raise ValueError(f"its `bbox` and `keypoints` are those of annotation {first.id}")
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            report(left_out(coco.path, f"annotation {name}", error))
        else:
            records.append(record)
            made += box is box_or_around and not any(entry.get("bbox") or ())
    if box is box_or_around:  # faces have counts of other things
        _check_counts(coco, entries, points, report)
    if made:
        report(
            f"{coco.path}: {made} annotations have no `bbox`; their boxes are made around their "
            f"labelled keypoints, {MARGIN:.0%} of the longer side larger on each side."
        )
    return records


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


def _check_counts(coco, entries, points, report):
    """Reports `num_keypoints` of more than are labelled, unless all are one constant.

    CrowdPose's files count fewer.
    """
    counts = points.labelled
    told = [entry.get("num_keypoints") if isinstance(entry, dict) else None for _, entry in entries]
    differing = [
        row
        for row, (own, count) in enumerate(zip(told, counts, strict=True))
        if type(own) is int and own > count and not isinstance(points.found[row], Exception)
    ]
    # Whole bodies count the keypoints of the body only.
    whole = any(isinstance(entry, dict) and "face_kpts" in entry for _, entry in entries[:1])
    if differing and not whole and (len({*told}) > 1 or len(told) == 1):
        row = differing[0]
        report(
            f"{coco.path}: {len(differing)} annotations have more `num_keypoints` than labelled "
            f"`keypoints`, which are counted: annotation {named(entries[row][1], entries[row][0])} "
            f"says {told[row]}, and {counts[row]} are labelled."
        )


def _image(annotation, images, known):
    """The image of an annotation; None if it was reported as unusable."""
    image_id = annotation["image_id"]
    if image_id not in images and image_id not in known:
        raise ValueError(f"no image has the id {image_id}, its `image_id`")
    return images.get(image_id)


def _record(annotation, name, image, points, reach, box):
    """Checks an annotation and makes its record."""
    limit = max(image.size) or np.inf
    if reach[0] < -limit or reach[1] > 2 * limit:
        worst = points[np.abs(points[:, :2]).max(axis=1).argmax(), :2].tolist()
        raise ValueError(f"`keypoints` has a joint at {worst}, far outside its image")
    place = box(annotation, points)
    area = annotated_area(annotation)
    if area is None:
        area = area_inside(annotation.get("segmentation"))
    area = AREA_OF_BOX * float(place[2] * place[3]) if area is None else area
    return Record(name, image, place, points, area, is_crowd(annotation))
