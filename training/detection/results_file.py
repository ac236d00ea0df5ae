"""Reads a file in COCO's results format, written by anybody."""

from pathlib import Path

from hrnet_tf.files import existing, parse_json
from hrnet_tf.training.data.coco_fields import identity
from hrnet_tf.training.data.coco_masks import encoded
from hrnet_tf.training.data.sources import Report
from hrnet_tf.training.detection.objects import Reasons, box_of, checked, is_number
from hrnet_tf.training.detection.truth import Truth


def read_results(path: Path, truth: Truth, report: Report) -> list[dict]:
    """The entries of a results file, checked against the annotations.

    Args:
        path: a JSON list of objects with `image_id`, `category_id`, `score` and `bbox`,
            `segmentation` or both; an entry without a box has that of its mask.
        truth: what the file is scored on.
        report: receives a line for each reason why entries are left out.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is not such a list, or no entry can be used.
    """
    entries = parse_json(existing(path).read_bytes(), path)
    if not isinstance(entries, list):
        raise ValueError(
            f"{path}: must be a list of objects in COCO's results format, each with `image_id`, "
            "`category_id`, `score` and `bbox` or `segmentation`. "
            f"Received: {type(entries).__name__}. Annotations go into `annotations`."
        )
    found, reasons = [], Reasons()
    for position, entry in enumerate(entries):
        try:
            found.append(_result(checked(entry), truth))
        except (KeyError, TypeError, ValueError) as error:
            reasons.add(f"entry {position}", error)
    if entries and not found:
        lines = []
        reasons.report(path, lines.append)
        raise ValueError(f"{lines[0]} No entry can be scored. Do the files belong together?")
    reasons.report(path, report)
    return found


def _result(entry, truth):
    image, category = identity(entry["image_id"]), identity(entry["category_id"])
    if image not in truth.images:
        raise ValueError("the annotations have no such image")
    if category not in truth.categories:
        raise ValueError(f"the annotations have no category {category}")
    if not is_number(score := entry["score"]):
        raise ValueError("its score is not a number")
    number = truth.images[image] - 1
    mask = encoded(entry.get("segmentation"), truth.sizes[number])
    result = {
        "image_id": truth.image_ids[number],
        "category_id": truth.category_ids[truth.categories[category] - 1],
        "bbox": box_of(entry, mask),
        "score": score,
    }
    return result if mask is None else {**result, "segmentation": mask}
