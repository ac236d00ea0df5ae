"""COCO's instances as masks: the category of each pixel.

Pixels of crowds, and pixels that regions of different classes claim, have no class, as in the
segmentation references of torchvision. Everything else is background, if the classes begin with it.
"""

from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from hrnet_tf.labels.label_values import IGNORED, MOST_CLASSES, plain
from hrnet_tf.training.data.coco_fields import is_crowd
from hrnet_tf.training.data.coco_json import image_files, read_coco_json
from hrnet_tf.training.data.coco_masks import region
from hrnet_tf.training.data.sources import ImageFile, Report, left_out, look
from hrnet_tf.training.segmentation.masks import Meaning, png

BACKGROUND = "background"


def read_instances(
    path: Path, images: Path, names: Sequence[str], report: Report
) -> tuple[list[tuple[ImageFile, bytes]], Meaning]:
    """Draws the mask of each image; without a background, of those with annotations.

    Args:
        path: a COCO file with the lists images, annotations and categories.
        images: the folder of its images.
        names: the classes: names of categories, and maybe "background" as the first, which all
            other categories belong to. Without it they have no class.
        report: receives a line for each image or annotation that is left out.

    Returns:
        Images with their masks as PNG, and the meaning of the masks.

    Raises:
        ValueError: the file is no such file, or lacks a category.
    """
    if not 2 <= len(names) <= MOST_CLASSES:
        raise ValueError(
            f"`classes` must be from 2 to {MOST_CLASSES}. Received: {len(names)} classes."
        )
    coco = read_coco_json(path, report)
    classes = _classes(coco, path, names)
    files, known = image_files(coco, images, report)
    regions = defaultdict(list)
    for position, entry in enumerate(coco.annotations):
        try:
            if entry["image_id"] not in known:
                raise ValueError(f"no image has the id {entry['image_id']}, its `image_id`")
            regions[entry["image_id"]].append(entry)
        except (KeyError, TypeError, ValueError) as error:
            report(left_out(path, f"annotation number {position + 1}", error))

    def draw(file):
        seen = look(file, decode=False)
        return seen, () if seen.flaw else _mask(file, regions[file.id], classes, names)

    wanted = [file for file in files.values() if file.id in regions or names[0] == BACKGROUND]
    with ThreadPoolExecutor() as pool:
        found = list(pool.map(draw, wanted))
    records = []
    for file, (seen, drawn) in zip(wanted, found, strict=True):
        if line := seen.line(file.path):
            report(line)
        if seen.flaw:
            continue
        mask, problems = drawn
        for entry, error in problems:
            report(left_out(path, f"annotation {entry.get('id')}", error))
        records.append((file, mask))
    if not records:
        raise ValueError(f"{path} must have annotations of images in {images}. None can be used.")
    return records, Meaning(len(names), plain(len(names)))


def _classes(coco, path, names):
    """Category id -> class, `IGNORED` for categories that are none."""
    ids = {}
    for each in coco.categories:
        if isinstance(each, dict) and {"id", "name"} <= each.keys():
            ids[each["name"]] = each["id"]
    known = {name: ids[name] for name in names if name in ids}
    if missing := [name for name in names if name not in known and name != BACKGROUND]:
        raise ValueError(
            f"`classes` must be names of categories. {path} has no {missing[0]!r}, but "
            f"{', '.join(list(ids)[:20])}."
        )
    other = 0 if names[0] == BACKGROUND else IGNORED
    found = dict.fromkeys(ids.values(), other)
    return found | {known[name]: names.index(name) for name in known}


def _mask(file, entries, classes, names):
    """The mask of an image as PNG, and its unusable annotations with an error each."""
    mask = np.full(file.size, 0 if names[0] == BACKGROUND else IGNORED, np.uint8)
    painted, problems = np.zeros(file.size, bool), []
    for entry in entries:
        try:
            number, crowd = _class_of(entry, classes), is_crowd(entry)
            pixels = region(entry["segmentation"], file.size)
        except (KeyError, TypeError, ValueError) as error:
            problems.append((entry, error))
            continue
        if number == 0 and names[0] == BACKGROUND:
            continue
        number = IGNORED if crowd else number
        mask[pixels & painted & (mask != number)] = IGNORED
        mask[pixels & ~painted] = number
        painted |= pixels
    return png(mask), problems


def _class_of(entry, classes):
    category = entry["category_id"]
    if category not in classes:
        raise ValueError(f"no category has the id {category}, its `category_id`")
    return classes[category]
