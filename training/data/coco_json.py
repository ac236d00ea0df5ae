"""Parses a COCO-format annotation file, once for all functions that need it.

The format has lists `images`, `annotations` and, in most files, `categories`. Exporters write it in
many ways: ids in quotes, file names of Windows or with the folders of another machine, no sizes.
Whatever has one meaning is read so; whatever has two is reported.
"""

import os
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hrnet_tf.training.data.sources import (
    ImageFile,
    Note,
    Report,
    left_out,
    read_json,
    size_without_turn,
    to_stderr,
)

# Numbers that are further from 0 than this are no positions in an image.
FARTHEST = 1e6
IDS = {"images": ("id",), "annotations": ("id", "image_id", "category_id"), "categories": ("id",)}


@dataclass(frozen=True, eq=False)
class CocoFile:
    """The content of an annotation file; its lists must not be changed.

    Ids are integers where their text is a whole number ("5", 5.0), otherwise as in the file, so
    that they can be compared. All else is unchecked; entries need not be dicts.

    Attributes:
        path: the file.
        images: entries, usually with `id`, `file_name`, `height` and `width`.
        annotations: entries with `id`, `image_id`, `bbox`, ….
        categories: entries with `id` and `name`; empty where the file has no such list.
    """

    path: Path
    images: list
    annotations: list
    categories: list

    def double_ids(self) -> Iterator[str]:
        """Yields a sentence for each id that more than one image or annotation has."""
        for kind, entries in (("images", self.images), ("annotations", self.annotations)):
            ids = [each["id"] for each in entries if isinstance(each, dict) and "id" in each]
            for each, count in Counter(map(repr, ids)).items():
                if count > 1:
                    yield f"{count} {kind} have the id {each}"


def read_coco_json(annotations: str | Path) -> CocoFile:
    """Parses a file; raises ValueError if it is not JSON with images and annotations."""
    return coco_file(read_json(Path(annotations)), Path(annotations))


def coco_file(content: object, path: Path) -> CocoFile:
    """A parsed file's content, whose ids are made comparable in place.

    Raises:
        ValueError: it has no lists `images` and `annotations`.
    """
    content = content if isinstance(content, Mapping) else {}
    lacking = [key for key in ("images", "annotations") if not isinstance(content.get(key), list)]
    if lacking:
        raise ValueError(
            "`annotations` must hold the lists `images` and `annotations`. "
            f"Received: annotations={path}, without a list {' and '.join(map(repr, lacking))}. "
            "Detections and results have neither."
        )
    categories = content.get("categories")
    categories = categories if isinstance(categories, list) else []
    found = CocoFile(path, content["images"], content["annotations"], categories)
    for name, fields in IDS.items():
        _compare_ids(getattr(found, name), fields)
    return found


def image_files(
    coco: CocoFile, folder: Path, report: Report = to_stderr
) -> tuple[dict[int, ImageFile], set[int]]:
    """The images of a file, annotated or not.

    A file name may have the separators of Windows, or folders that are not here, such as those of
    another machine: a file that is found without them is taken if no other image means it, too.
    Images without `width` and `height` are measured.

    Args:
        coco: the parsed file.
        folder: the folder that its file names are relative to.
        report: receives a line for each image that cannot be used.

    Returns:
        The usable images by id, and the ids of all images.
    """
    found, first, known = {}, {}, set()
    for position, entry in enumerate(coco.images):
        try:
            key, name = entry["id"], entry["file_name"]
            if key is None:
                raise ValueError("its `id` is null")
            known.add(key)
            if not isinstance(name, str) or not name:
                raise ValueError(f"`file_name` must be a name, and is {name!r}")
            height, width = _size(entry)
            if first.setdefault(key, (name, height, width)) != (name, height, width):
                found.pop(key, None)
                raise ValueError(f"image {first[key][0]} has the same `id`, {key}")
            if key not in found:
                found[key] = (name, _find(folder, name), height and (height, width))
        except (KeyError, OverflowError, TypeError, ValueError) as error:
            name = entry.get("file_name") if isinstance(entry, dict) else None
            report(left_out(folder, f"image {name or f'number {position + 1}'}", error))
    _drop_ambiguous(found, folder, report)
    return _measured(found, folder, report), known


def listed_images(coco: CocoFile) -> dict[int, ImageFile]:
    """All images of a file by id, without a look at the files; sizes are (0, 0) where unknown."""
    images = {}
    for entry in coco.images:
        if isinstance(entry, dict) and entry.get("id") is not None:
            name = str(entry.get("file_name", entry["id"]))
            try:
                height, width = _size(entry)
            except (OverflowError, TypeError, ValueError):
                height = width = None
            images[entry["id"]] = ImageFile(entry["id"], Path(name), (height or 0, width or 0))
    return images


def annotated_box(annotation: Mapping) -> np.ndarray:
    """The box (4,) of an annotation: x, y, width and height in pixels, not compared with its image.

    Raises:
        KeyError: there is no box; null, [] and four zeros are none.
        TypeError, ValueError: it is not four numbers, or it is empty.
    """
    values = annotation["bbox"]
    if values is None or values in ([], [0, 0, 0, 0]):
        raise KeyError("bbox")
    if not isinstance(values, list) or len(values) != 4:
        raise ValueError(f"its `bbox` is {values!r}, not four numbers")
    box = numbers(values, "bbox")
    x, y, width, height = box.tolist()
    if not (abs(x) < FARTHEST and abs(y) < FARTHEST and width < FARTHEST and height < FARTHEST):
        raise ValueError(f"its `bbox` is {values}, not four numbers within an image")
    if width <= 0 or height <= 0:
        raise ValueError(f"its `bbox` is empty: {values}")
    return box


def is_crowd(annotation: Mapping) -> bool:
    """Whether an annotation is of a crowd; a missing or null `iscrowd` is 0.

    Raises:
        ValueError: `iscrowd` is neither 0 nor 1.
    """
    crowd = annotation.get("iscrowd")
    if crowd is None or crowd in (0, "0"):
        return False
    if crowd in (1, "1"):
        return True
    raise ValueError(f"`iscrowd` must be 0 or 1, and is {crowd!r}")


def numbers(values: list, field: str) -> np.ndarray:
    """A list of numbers as float64; null becomes NaN, and numbers in quotes are numbers.

    Raises:
        ValueError: an entry is no number, such as true.
    """
    kinds = set(map(type, values))
    if not kinds <= {int, float}:
        if not kinds <= {int, float, str, type(None)}:
            other = next(each for each in values if type(each) not in (int, float, str, type(None)))
            raise ValueError(f"`{field}` has {other!r}, which is not a number")
        values = [np.nan if value is None else value for value in values]
    try:
        return np.array(values, np.float64)
    except (ValueError, OverflowError) as error:
        raise ValueError(f"`{field}` has a value that is not a number ({error})") from None


def number(value: object, field: str) -> float:
    """A number, which may be in quotes, as a float; raises ValueError if it is none."""
    try:
        return float(value if type(value) in (int, float) else numbers([value], field)[0])
    except OverflowError:
        raise ValueError(f"`{field}` is too large a number") from None


def _compare_ids(entries, fields):
    """Makes ids that are whole numbers in another form integers."""
    for entry in entries:
        if type(entry) is dict:
            for field in fields:
                value = entry.get(field)
                if type(value) is not int and value is not None:
                    entry[field] = _identity(value)


def _identity(value):
    if isinstance(value, float) and value.is_integer():
        return int(value)
    text = str(value)
    whole = text.removeprefix("-").isdecimal() and len(text) < 20 and str(int(text)) == text
    return int(text) if whole else text


def _size(entry):
    """Height and width as integers; None for both if one is missing or 0."""
    sides = []
    for field in ("height", "width"):
        value = entry.get(field)
        side = number(value, field) if value is not None else 0
        if not 0 <= side < FARTHEST:
            raise ValueError(f"`{field}` is {value}")
        sides.append(int(side))
    return tuple(sides) if min(sides) else (None, None)


def _find(folder, name):
    """The end of a file name under which its file is in the folder."""
    if os.path.isfile(os.path.join(folder, name)):
        return name
    parts = [part for part in name.replace("\\", "/").split("/") if part]
    for start in range(len(parts)):
        tail = "/".join(parts[start:])
        if os.path.isfile(os.path.join(folder, tail)):
            return tail
    raise ValueError("its `file_name` is not there")


def _drop_ambiguous(found, folder, report):
    """Removes images that share the end of their names under which a file was found."""
    plain = {key: name.replace("\\", "/") for key, (name, _, _) in found.items()}
    cut = [key for key, (_, tail, _) in found.items() if tail not in (plain[key], found[key][0])]
    meant = {}
    for key, (_, tail, _) in found.items() if cut else ():
        meant.setdefault(tail, set()).add(plain[key])
    for key in cut:
        name, tail, _ = found[key]
        if len(meant[tail]) > 1:
            reason = (
                f"`file_name` without its folders, {tail}, is that of {len(meant[tail])} images"
            )
            report(left_out(folder, f"image {name}", ValueError(reason)))
            del found[key]
    cut = [found[key] for key in cut if key in found]
    if cut:
        name, tail, _ = cut[0]
        report(
            Note(
                f"{folder}: {len(cut)} images are found by the end of their `file_name` only, "
                f"the first as {tail}, which the annotations call {name}."
            )
        )


def _measured(found, folder, report):
    """The images; sizes that the annotations lack are those of the files."""
    lacking = [key for key, (_, _, size) in found.items() if not size]
    with ThreadPoolExecutor() as pool:
        sizes = pool.map(lambda key: size_without_turn(folder / found[key][1]), lacking)
        sizes = dict(zip(lacking, sizes, strict=True))
    images = {}
    for key, (name, tail, size) in found.items():
        size = size or sizes[key]
        if isinstance(size, str):
            report(left_out(folder, f"image {name}", ValueError(size)))
        else:
            images[key] = ImageFile(key, folder / tail, size)
    return images
