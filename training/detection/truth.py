"""The annotated objects of a COCO file, with ids of our own, as scoring needs them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from pycocotools import mask as coco_mask

from hrnet_tf.training.data.coco_json import CocoFile
from hrnet_tf.training.data.sources import Report
from hrnet_tf.training.detection.objects import (
    Reasons,
    Size,
    box_of,
    checked,
    is_number,
    mask_of,
    plain_id,
)


@dataclass(frozen=True, eq=False)
class Truth:
    """Annotated objects; images and categories are numbered from 1.

    Attributes:
        images: plain id of each image -> its number.
        image_ids: the ids of the images as the file writes them.
        sizes: height and width of each image, or None.
        files: file name of each image, or None.
        categories: plain id of each category -> its number.
        category_ids: the ids of the categories as the file writes them.
        names: their names; an id as text where the file has no name.
        annotations: the objects as `metrics.coco_numbers` takes them.
        masks: whether objects have masks.
    """

    images: Mapping[object, int]
    image_ids: Sequence[object]
    sizes: Sequence[Size]
    files: Sequence[str | None]
    categories: Mapping[object, int]
    category_ids: Sequence[object]
    names: Sequence[str]
    annotations: Sequence[dict]
    masks: bool

    def without(self, numbers: set[int]) -> "Truth":
        """The objects without those of the categories of these numbers."""
        kept = [i for i in range(1, len(self.names) + 1) if i not in numbers]
        new = {old: i for i, old in enumerate(kept, 1)}
        return replace(
            self,
            categories={key: new[i] for key, i in self.categories.items() if i in new},
            category_ids=[self.category_ids[i - 1] for i in kept],
            names=[self.names[i - 1] for i in kept],
            annotations=[
                {**each, "category_id": new[each["category_id"]]}
                for each in self.annotations
                if each["category_id"] in new
            ],
        )


def read_truth(coco: CocoFile, report: Report) -> Truth:
    """The objects of a parsed file; `report` receives a line for whatever is left out.

    Ids may be numbers or text, count from any number, and annotations may share theirs. An object
    without `category_id` is of the only category, if there is one; without `bbox` it has the box of
    its mask; without `area` that of its mask or box, as in `COCO.loadRes` of pycocotools.

    Raises:
        ValueError: the file has no object that can be used.
    """
    images = _images(coco, report)
    numbers = {key: number for number, key in enumerate(images, 1)}
    image_ids, sizes, files = zip(*images.values(), strict=True) if images else ((), (), ())
    categories, category_ids, names = _categories(coco, report)
    annotations, reasons = [], Reasons()
    for position, entry in enumerate(coco.annotations):
        try:
            annotations.append(_annotation(checked(entry), numbers, sizes, categories))
        except (KeyError, TypeError, ValueError) as error:
            reasons.add(_name("annotation", position, entry), error)
    reasons.report(coco.path, report)
    if not annotations:
        raise ValueError(
            f"{coco.path}: no annotation is an object with a box or a mask in one of its images. "
            "COCO's are called instances_*.json."
        )
    masks = [each for each in annotations if "segmentation" in each]
    if masks and len(masks) < len(annotations):
        without = len(annotations) - len(masks)
        report(f"{coco.path}: {without} annotations without a mask count for boxes only.")
    seen = (numbers, image_ids, sizes, files), (categories, category_ids, names)
    return Truth(*seen[0], *seen[1], annotations, bool(masks))


def _name(kind, position, entry):
    known = entry.get("id") if isinstance(entry, Mapping) else None
    return f"{kind} {known}" if known is not None else f"{kind} number {position + 1}"


def _images(coco, report):
    """Plain id -> id, size and file name, in the order of the ids, which is that of pycocotools."""
    found, reasons = {}, Reasons()
    for position, entry in enumerate(coco.images):
        try:
            key = plain_id(checked(entry)["id"])
            if key in found:
                raise ValueError(f"another image has the id {key}")
            sides = entry.get("height"), entry.get("width")
            size = sides if all(type(side) is int and side > 0 for side in sides) else None
            found[key] = entry["id"], size, entry.get("file_name")
        except (KeyError, TypeError, ValueError) as error:
            reasons.add(_name("image", position, entry), error)
    reasons.report(coco.path, report)
    if all(type(image_id) is int for image_id, *_ in found.values()):
        return dict(sorted(found.items(), key=lambda item: item[1][0]))
    return found


def _categories(coco, report):
    """Numbers, ids and names of the categories; without a list, those of the annotations."""
    found, reasons = {}, Reasons()
    for position, entry in enumerate(coco.categories):
        try:
            key = plain_id(checked(entry)["id"])
            if key in found:
                raise ValueError(f"another category has the id {key}")
            found[key] = entry["id"], str(entry.get("name") or key)
        except (KeyError, TypeError, ValueError) as error:
            reasons.add(_name("category", position, entry), error)
    reasons.report(coco.path, report)
    if not coco.categories:
        for entry in coco.annotations:
            value = entry.get("category_id") if isinstance(entry, Mapping) else None
            if isinstance(value, int | str) and not isinstance(value, bool):
                found.setdefault(plain_id(value), (value, str(value)))
    numbers = {key: number for number, key in enumerate(found, 1)}
    ids, names = zip(*found.values(), strict=True) if found else ((), ())
    return numbers, list(ids), list(names)


def _annotation(entry, images, sizes, categories):
    image = plain_id(entry["image_id"])
    if image not in images:
        raise ValueError(f"no image has the id {entry['image_id']}")
    if entry.get("category_id") is None and len(categories) == 1:
        (category,) = categories
    else:
        category = plain_id(entry["category_id"])
    if category not in categories:
        raise ValueError(f"no category has the id {entry['category_id']}")
    mask = mask_of(entry, sizes[images[image] - 1])
    box, area = box_of(entry, mask), entry.get("area")
    if area is None:
        area = box[2] * box[3] if mask is None else float(coco_mask.area(mask))
    if not is_number(area):
        raise ValueError(f"its area is {area!r}, not a number")
    found = {
        "image_id": images[image],
        "category_id": categories[category],
        "bbox": box,
        "area": float(area),
        "iscrowd": int(bool(entry.get("iscrowd"))),
        "ignore": int(bool(entry.get("ignore"))),  # scores count it, training does not
    }
    return found if mask is None else {**found, "segmentation": mask}
