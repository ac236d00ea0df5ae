"""Reads COCO keypoint annotations into plain records."""

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

_to_stderr = partial(print, file=sys.stderr)


@dataclass(frozen=True)
class ImageFile:
    """An image of the set; `size` is (height, width) as annotated."""

    id: int
    path: Path
    size: tuple[int, int]


@dataclass(frozen=True, eq=False)
class Record:
    """One annotated person.

    `box` (4,) is x, y, w, h in image pixels, untouched; `keypoints` (K, 3) are x, y and COCO's
    visibility (0 unlabelled, 1 hidden, 2 seen); `area` is the segment's, in square pixels.
    """

    id: int
    image: ImageFile
    box: np.ndarray
    keypoints: np.ndarray
    area: float
    crowd: bool


def read_coco(
    annotations: str | Path, images_dir: str | Path, report: Callable[[str], None] = _to_stderr
) -> list[Record]:
    """Reads every person of a COCO keypoint file, crowds and persons without keypoints included.

    What cannot be used is named to `report`, one line each, and left out.

    Raises:
        FileNotFoundError: there is no such file or folder.
        ValueError: the file is not COCO keypoint JSON.
    """
    content = _read_json(annotations, images_dir)
    counts = {
        category["id"]: len(category["keypoints"])
        for category in content.get("categories", [])
        if isinstance(category, dict) and "id" in category and category.get("keypoints")
    }
    if not counts:
        raise ValueError(
            "`annotations` must have a category with keypoints. "
            f"Received: annotations={annotations}. COCO's are called person_keypoints_*.json."
        )
    images = _images(content, Path(images_dir), report)
    known = {image.get("id") for image in content["images"] if isinstance(image, dict)}
    records = []
    for position, annotation in enumerate(content["annotations"]):
        try:
            record = _record(annotation, images, known, counts)
        except (KeyError, TypeError, ValueError) as error:
            name = annotation.get("id") if isinstance(annotation, dict) else None
            name = f"number {position + 1}" if name is None else name
            reason = f"it has no {error}" if isinstance(error, KeyError) else error
            report(f"{annotations}: annotation {name} is left out: {reason}.")
        else:
            records += [record] if record else []
    return records


def read_images(
    annotations: str | Path, images_dir: str | Path, report: Callable[[str], None] = _to_stderr
) -> dict[int, ImageFile]:
    """Reads the images of a COCO file by their id, annotated or not; raises as `read_coco`."""
    return _images(_read_json(annotations, images_dir), Path(images_dir), report)


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
        The clipped boxes (N, 4), one pixel smaller since the last row and column count as part of
        the person, and a mask (N,) of those that are worth keeping.
    """
    boxes, sizes = np.asarray(boxes, np.float64), np.asarray(sizes, np.float64)
    low = np.maximum(boxes[:, :2], 0)
    high = np.minimum(sizes[:, ::-1] - 1, low + np.maximum(boxes[:, 2:] - 1, 0))
    keep = (np.asarray(areas) > 0) & (high >= low).all(axis=1)
    return np.concatenate((low, high - low), axis=1), keep


def _read_json(annotations: str | Path, images_dir: str | Path) -> dict:
    path = Path(annotations)
    if not path.is_file():
        raise FileNotFoundError(
            f"`annotations` must be a file. Received: annotations={path}. Check the path."
        )
    if not Path(images_dir).is_dir():
        raise FileNotFoundError(
            f"`images_dir` must be a folder. Received: images_dir={images_dir}. Check the path."
        )
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(
            f"`annotations` must be JSON ({error}). Received: annotations={path}. "
            "Is the download complete?"
        ) from None
    lists = content if isinstance(content, dict) else {}
    if not all(isinstance(lists.get(key), list) for key in ("images", "annotations")):
        raise ValueError(
            "`annotations` must hold the lists `images` and `annotations`. "
            f"Received: annotations={path}. Detections and results have neither."
        )
    return content


def _images(content: dict, folder: Path, report: Callable[[str], None]) -> dict[int, ImageFile]:
    images = {}
    for position, entry in enumerate(content["images"]):
        try:
            path = folder / entry["file_name"]
            size = (int(entry["height"]), int(entry["width"]))
            if min(size) < 1:
                raise ValueError(f"its size is {size}")
            if not path.is_file():
                raise ValueError("the file is not there")
            images[entry["id"]] = ImageFile(entry["id"], path, size)
        except (KeyError, TypeError, ValueError) as error:
            name = entry.get("file_name") if isinstance(entry, dict) else None
            reason = f"it has no {error}" if isinstance(error, KeyError) else error
            report(f"{folder}: image {name or f'number {position + 1}'} is left out: {reason}.")
    return images


def _record(
    annotation: dict, images: dict[int, ImageFile], known: set[int], counts: dict[int, int]
) -> Record | None:
    """One checked record; None for another category, or an image that is known to be unusable."""
    if annotation["category_id"] not in counts:
        return None
    image_id = annotation["image_id"]
    if image_id not in images:
        if image_id in known:  # its image has been reported already
            return None
        raise ValueError(f"no image has the id {image_id}")
    count = counts[annotation["category_id"]]
    box = np.array(annotation["bbox"], np.float64)
    keypoints = np.array(annotation["keypoints"], np.float64)
    if box.shape != (4,) or not np.isfinite(box).all():
        raise ValueError(f"its box is {annotation['bbox']}, not four numbers")
    if (box[2:] <= 0).any():
        raise ValueError(f"its box is empty: {annotation['bbox']}")
    if keypoints.shape != (3 * count,):
        raise ValueError(f"`keypoints` has {keypoints.size} values, not {3 * count}")
    if not np.isfinite(keypoints).all():
        raise ValueError("`keypoints` has a value that is not a number")
    area = float(annotation["area"])
    if not np.isfinite(area):
        raise ValueError(f"its area is {area}")
    crowd = bool(annotation.get("iscrowd", 0))
    return Record(annotation["id"], images[image_id], box, keypoints.reshape(count, 3), area, crowd)
