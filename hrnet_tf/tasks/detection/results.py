"""Writes objects as records in COCO's results format, and records as CSV."""

import csv
from collections.abc import Sequence
from pathlib import Path

from hrnet_tf.cards.detection import DetectionCard
from hrnet_tf.files import whole
from hrnet_tf.tasks.detection.detections import Detections


def coco_results(image_id: int | str, found: Detections, card: DetectionCard) -> list[dict]:
    """The objects of an image as entries of COCO's results format, best first.

    `bbox` is x, y, width, height in pixels; `segmentation`, where there are masks, a run-length
    encoding with `counts` as text. `category` is the name of the class, which COCO's format does
    not have.
    """
    records = []
    for row, (index, score, box) in enumerate(
        zip(found.classes, found.scores, found.boxes, strict=True)
    ):
        record = {
            "image_id": image_id,
            "category_id": card.category_ids[index],
            "category": card.classes[index],
            "bbox": [round(float(v), 3) for v in box],
            "score": float(score),
        }
        if found.masks is not None:
            record["segmentation"] = plain_mask(found.masks[row])
        records.append(record)
    return records


def plain_mask(mask: dict) -> dict:
    """A run-length encoding that JSON can hold: its counts as text and not as bytes."""
    counts = mask["counts"]
    counts = counts.decode("ascii") if isinstance(counts, bytes) else counts
    return {"size": [int(side) for side in mask["size"]], "counts": counts}


def write_csv(path: Path, records: Sequence[dict], names: Sequence[str]) -> None:
    """Writes a CSV file with a line per object.

    Its columns are the picture, its id, the object's number in the picture, category, score, box.

    Args:
        path: the file to write.
        records: entries of `coco_results` with a "file_name".
        names: names of the classes.

    Raises:
        OSError: the file cannot be written; a partial one is not left behind.
    """
    columns = ["file_name", "image_id", "object", "category_id", "category", "score"]
    last, number = None, 0
    with whole(path) as part, open(part, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow([*columns, "x", "y", "width", "height"])
        for record in records:
            number = number + 1 if record["image_id"] == last else 1
            last = record["image_id"]
            row = {**record, "object": number}
            writer.writerow([*(row[column] for column in columns), *record["bbox"]])
