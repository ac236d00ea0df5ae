"""PASCAL VOC's annotations: an XML file for each picture, as also LabelImg and CVAT write them.

Boxes count pixels from 1 and include both ends, as in the development kit of Everingham et al.
IJCV 2010. `difficult` objects are neither missed nor wrong to find, as COCO's crowds; they are not
trained on.
"""

from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from xml.etree import ElementTree

from hrnet_tf.training.data.coco_json import CocoFile
from hrnet_tf.training.data.sources import Report
from hrnet_tf.training.detection.objects import Reasons
from hrnet_tf.training.detection.picture_files import pictures_in

CORNERS = ("xmin", "ymin", "xmax", "ymax")


def read_voc(files: Sequence[Path], place: Path, folder: Path, report: Report) -> CocoFile:
    """The objects of XML files as a COCO file; categories are their names, in alphabetical order.

    Args:
        files: the XML files.
        place: where they are from, for messages.
        folder: of the pictures.
        report: receives a line for each reason why files or objects are left out.

    Raises:
        ValueError: no file can be read.
    """
    pictures, reasons = pictures_in(folder), Reasons()
    images, objects, seen = [], [], {}
    for path in files:
        try:
            root = _parsed(path)
            name = _picture(root, path, pictures)
            if name in seen:
                raise ValueError(f"{seen[name]} is about the same picture, {name}")
            image = {"id": len(images) + 1, "file_name": name, **_size(root)}
        except (OSError, ValueError, ElementTree.ParseError) as error:
            reasons.add(path.name, error)
            continue
        seen[name] = path.name
        images.append(image)
        for number, each in enumerate(root.iter("object"), 1):
            try:
                objects.append(_object(each, image["id"], f"{path.name}, object {number}"))
            except ValueError as error:
                reasons.add(f"object {number} of {path.name}", error)
    reasons.report(place, report)
    if not images:
        raise ValueError(f"{place}: no annotation file of PASCAL VOC can be used.")
    names = sorted({each["category_id"] for each in objects})
    numbers = {name: number for number, name in enumerate(names, 1)}
    for each in objects:
        each["category_id"] = numbers[each["category_id"]]
    categories = [{"id": number, "name": name} for name, number in numbers.items()]
    return CocoFile(place, images, objects, categories)


class _Plain(ElementTree.TreeBuilder):
    """Builds a tree of XML without a DOCTYPE: its entities could unfold to any size."""

    def doctype(self, name, pubid, system):
        raise ValueError("it has a DOCTYPE, which annotations do not need")


def _parsed(path):
    root = ElementTree.parse(path, ElementTree.XMLParser(target=_Plain())).getroot()
    if root.tag != "annotation":
        raise ValueError(f"it is <{root.tag}>, not <annotation>")
    return root


def _picture(root, path, pictures):
    """The name of its picture: that of `filename`, or else the one with the name of the file."""
    named = PurePosixPath((root.findtext("filename") or "").strip().replace("\\", "/"))
    for name in (str(named.with_suffix("")) if named.name else "", named.stem, path.stem):
        if name in pictures:
            return pictures[name]
    raise ValueError(f"there is no picture {named.name or path.stem}")


def _size(root):
    """`height` and `width` where the file has them; some tools write 0."""
    sides = {}
    for side in ("height", "width"):
        text = (root.findtext(f"size/{side}") or "").strip()
        sides[side] = int(text) if text.isdecimal() else 0
    return sides if all(sides.values()) else {}


def _object(element, image, name):
    label = (element.findtext("name") or "").strip()
    if not label:
        raise ValueError("it has no name")
    box = element.find("bndbox")
    if box is None:
        raise ValueError("it has no bndbox")
    try:
        x1, y1, x2, y2 = (float(box.findtext(corner) or "") for corner in CORNERS)
    except ValueError:
        raise ValueError("its bndbox is not four numbers") from None
    x1, y1 = x1 - 1, y1 - 1
    difficult = (element.findtext("difficult") or "").strip() == "1"
    return {
        "id": name,
        "image_id": image,
        "category_id": label,
        "bbox": [x1, y1, x2 - x1, y2 - y1],
        "iscrowd": int(difficult),
    }
