"""The annotated objects of a COCO file, with ids of our own, as scoring needs them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from pycocotools import mask as coco_mask

from hrnet_tf.training.data.coco_fields import annotated_area, is_crowd
from hrnet_tf.training.data.coco_json import CocoFile, listed_images
from hrnet_tf.training.data.coco_masks import encoded
from hrnet_tf.training.data.coco_segments import contradictions
from hrnet_tf.training.data.sources import Report
from hrnet_tf.training.detection.objects import Reasons, box_of, checked

Size = tuple[int, int] | None  # height and width of an image, if they are known


@dataclass(frozen=True, eq=False)
class Truth:
    """Annotated objects; images and categories are numbered from 1.

    Attributes:
        images: id of each image, as `read_coco_json` gives it -> its number.
        image_ids: the ids of the images.
        sizes: height and width of each image, or None.
        categories: id of each category -> its number.
        category_ids: the ids of the categories.
        names: their names; an id as text where the file has no name.
        annotations: the objects as `metrics.coco_numbers` takes them.
        masks: whether objects have masks.
    """

    images: Mapping[object, int]
    image_ids: Sequence[object]
    sizes: Sequence[Size]
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

    Images that cannot be used are reported by `listed_images` and `image_files`, not here. Ids may
    be numbers or text, count from any number, and annotations may share theirs. An object without
    `category_id` is of the only category, if there is one; without `bbox` it has the box of its
    mask; without `area` that of its mask or box, as in `COCO.loadRes` of pycocotools.

    Raises:
        ValueError: the file has no object that can be used.
    """
    images, known = _images(coco)
    numbers = {key: number for number, key in enumerate(images, 1)}
    sizes = [image.size for image in images.values()]
    categories, category_ids, names = _categories(coco, report)
    annotations, used, reasons = [], [], Reasons()
    for position, entry in enumerate(coco.annotations):
        name = _name("annotation", position, entry)
        try:
            if checked(entry)["image_id"] in numbers or entry["image_id"] not in known:
                annotations.append(_annotation(entry, numbers, sizes, categories))
                used.append((name, entry, entry.get("segmentation")))
        except (KeyError, TypeError, ValueError) as error:
            reasons.add(name, error)
    reasons.report(coco.path, report)
    for line in contradictions(used):
        report(f"{coco.path}: {line}.")
    if not annotations:
        raise ValueError(
            f"{coco.path}: no annotation is an object with a box or a mask in one of its images. "
            "COCO's are called instances_*.json."
        )
    masks = [each for each in annotations if "segmentation" in each]
    if masks and len(masks) < len(annotations):
        without = len(annotations) - len(masks)
        report(f"{coco.path}: {without} annotations without a mask count for boxes only.")
    seen = (numbers, list(images), sizes), (categories, category_ids, names)
    return Truth(*seen[0], *seen[1], annotations, bool(masks))


def _name(kind, position, entry):
    known = entry.get("id") if isinstance(entry, Mapping) else None
    return f"{kind} {known}" if known is not None else f"{kind} number {position + 1}"


def _images(coco):
    """Id -> image, in the order of the ids, which is that of pycocotools; and all known ids."""
    found, known = listed_images(coco, lambda line: None, named=False)
    if all(type(key) is int for key in found):
        found = dict(sorted(found.items()))
    return found, known


def _categories(coco, report):
    """Numbers, ids and names of the categories; without a list, those of the annotations."""
    found, reasons = {}, Reasons()
    for position, entry in enumerate(coco.categories):
        try:
            key = checked(entry)["id"]
            if key is None:
                raise ValueError("its `id` is null")
            name = str(entry.get("name") or key)
            if found.setdefault(key, name) != name:
                raise ValueError(f"another category has the id {key}, {found[key]}")
        except (KeyError, TypeError, ValueError) as error:
            reasons.add(_name("category", position, entry), error)
    reasons.report(coco.path, report)
    if not coco.categories:
        for entry in coco.annotations:
            value = entry.get("category_id") if isinstance(entry, Mapping) else None
            if value is not None:
                found.setdefault(value, str(value))
    numbers = {key: number for number, key in enumerate(found, 1)}
    return numbers, list(found), list(found.values())


def _annotation(entry, images, sizes, categories):
    image, category = entry["image_id"], entry.get("category_id")
    if image not in images:
        raise ValueError(f"no image has the id {image}, its `image_id`")
    if category is None and len(categories) == 1:
        (category,) = categories
    if category is None:
        raise KeyError("category_id")
    if category not in categories:
        raise ValueError(f"no category has the id {category}, its `category_id`")
    mask = encoded(entry.get("segmentation"), sizes[images[image] - 1])
    box, area = box_of(entry, mask), annotated_area(entry)
    if area is None:
        area = box[2] * box[3] if mask is None else float(coco_mask.area(mask))
    found = {
        "image_id": images[image],
        "category_id": categories[category],
        "bbox": box,
        "area": area,
        "iscrowd": int(is_crowd(entry)),
        "ignore": int(is_crowd(entry, "ignore")),  # scores count it, training does not
    }
    return found if mask is None else {**found, "segmentation": mask}
