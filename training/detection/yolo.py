"""YOLO's text files: a line `class cx cy w h` or `class x1 y1 x2 y2 x3 y3 …` for each object.

Numbers are shares of the picture's width and height, as viewers show it. The file of
`images/a/b.jpg` is `labels/a/b.txt`; a picture without a file has no objects. Names of the classes
are in `data.yaml`, `classes.txt` or `obj.names` beside the files or above them.
"""

import math
import re
from pathlib import Path

from hrnet_tf.training.data.coco_json import CocoFile
from hrnet_tf.training.data.sources import Report
from hrnet_tf.training.detection.objects import Reasons
from hrnet_tf.training.detection.picture_files import pictures_in, upright_sizes

LISTS = ("classes.txt", "obj.names")
ABOVE = 3  # folders above the files in which names are looked for


def read_yolo(place: Path, folder: Path, report: Report) -> CocoFile:
    """The objects of a folder of text files as a COCO file, whose category ids are YOLO's.

    Args:
        place: the folder of text files.
        folder: of the pictures.
        report: receives a line for each reason why files or objects are left out.

    Raises:
        ValueError: there is no picture, or the names of the classes cannot be read.
    """
    names, pictures, reasons = class_names(place), pictures_in(folder), Reasons()
    sizes = upright_sizes(folder, pictures.values())
    texts = {
        path.relative_to(place).with_suffix("").as_posix(): path
        for path in sorted(place.rglob("*.txt"))
        if path.name not in LISTS
    }
    images, objects = [], []
    for number, (key, name) in enumerate(pictures.items(), 1):
        if isinstance(size := sizes[name], str):
            reasons.add(name, ValueError(size))
            continue
        images.append({"id": number, "file_name": name, "height": size[0], "width": size[1]})
        if path := texts.pop(key, None):
            objects += _objects(path, number, size, names, reasons)
    for path in texts.values():
        reasons.add(path.name, ValueError("it has no picture of its name"))
    reasons.report(place, report)
    if not images:
        raise ValueError(f"`images` must be a folder with pictures. Received: images={folder}.")
    if names is None:
        names = {each: str(each) for each in sorted({x["category_id"] for x in objects})}
    categories = [{"id": each, "name": name} for each, name in names.items()]
    return CocoFile(place, images, objects, categories)


def _objects(path, image, size, names, reasons):
    found = []
    for number, line in enumerate(path.read_text("utf-8", errors="replace").splitlines(), 1):
        if line.strip():
            name = f"{path.name}, line {number}"
            try:
                found.append({"id": name, "image_id": image, **_object(line.split(), size, names)})
            except ValueError as error:
                reasons.add(name, error)
    return found


def _object(words, size, names):
    if not words[0].isdecimal():
        raise ValueError("its class is not a number")
    kind = int(words[0])
    if names is not None and kind not in names:
        raise ValueError(f"there is no name for class {kind}")
    try:
        values = [float(word) for word in words[1:]]
    except ValueError:
        raise ValueError("it is not a class and numbers") from None
    if not (len(values) == 4 or (len(values) >= 6 and len(values) % 2 == 0)):
        raise ValueError("it is neither a class and four numbers nor one and three or more points")
    if not all(map(math.isfinite, values)) or min(values) < 0 or max(values) > 1:
        raise ValueError("it has a number that is no share of the picture, from 0 to 1")
    height, width = size
    if len(values) == 4:
        x, y, w, h = (v * side for v, side in zip(values, (width, height) * 2, strict=True))
        return {"category_id": kind, "bbox": [x - w / 2, y - h / 2, w, h]}
    xs, ys = ([v * side for v in values[i::2]] for i, side in enumerate((width, height)))
    box = [min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys)]
    polygon = [v for point in zip(xs, ys, strict=True) for v in point]
    return {"category_id": kind, "bbox": box, "segmentation": [polygon]}


def class_names(place: Path) -> dict[int, str] | None:
    """Number -> name of each class, from the nearest file that has names; None if there is none.

    Raises:
        ValueError: such a file cannot be read.
    """
    for folder in (place, *place.absolute().parents[:ABOVE]):
        for name in LISTS:
            if (path := folder / name).is_file():
                lines = path.read_text("utf-8", errors="replace").splitlines()
                return dict(enumerate(line.strip() for line in lines if line.strip()))
        for path in sorted([*folder.glob("*.yaml"), *folder.glob("*.yml")]):
            if names := _yaml_names(path):
                return names
    return None


def _yaml_names(path):
    """The names of a `data.yaml`: a list in one line or in several, or numbers and names."""
    lines = path.read_text("utf-8", errors="replace").splitlines()
    start = next((i for i, line in enumerate(lines) if re.match(r"names\s*:", line)), None)
    if start is None:
        return None
    text = lines[start].partition(":")[2]
    for line in lines[start + 1 :]:
        if line.strip() and not re.match(r"[\s\-\]}]", line):
            break  # the next key
        text += "\n" + line
    items = re.split(r"[,\n]", re.sub(r"(^|\s)#.*", "", text, flags=re.M).strip().strip("[]{}"))
    items = [re.sub(r"^-\s+", "", item.strip()) for item in items if item.strip()]
    pairs = [re.fullmatch(r"(\d+)\s*:\s*(.+)", item) for item in items]
    if items and all(pairs):
        return {int(pair[1]): _unquoted(pair[2]) for pair in pairs}
    if not items or any(pairs):
        raise ValueError(
            f"{path}: `names` must be a list of names, or a number and a name in each line."
        )
    return dict(enumerate(map(_unquoted, items)))


def _unquoted(text):
    return text.strip().strip("'\"")
