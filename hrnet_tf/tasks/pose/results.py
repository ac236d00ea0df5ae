"""Writes poses as records in COCO's results format, and records as CSV and NumPy files."""

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from hrnet_tf.files import whole
from hrnet_tf.tasks.pose.predictor import Pose


def coco_result(image_id: int, pose: Pose) -> dict:
    """A pose as an entry of COCO's results format."""
    keypoints = np.column_stack([pose.keypoints, pose.scores])
    return {
        "image_id": image_id,
        "category_id": 1,
        "keypoints": [round(float(v), 4) for v in keypoints.ravel()],
        "score": float(pose.score),
        "bbox": [round(float(v), 2) for v in pose.box],
    }


def write_csv(path: Path, records: Sequence[dict], names: Sequence[str]) -> None:
    """Writes a CSV file with a line per person.

    Its columns are the picture, its id, the person's number in the picture, score, box, and then
    x, y and score of each keypoint.

    Args:
        path: the file to write.
        records: entries of COCO's results format with a "file_name".
        names: names of the keypoints.

    Raises:
        OSError: the file cannot be written; a partial one is not left behind.
    """
    columns = ["file_name", "image_id", "person", "score", "x", "y", "width", "height"]
    columns += [f"{name}_{part}" for name in names for part in ("x", "y", "score")]
    with whole(path) as part, open(part, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        for record, person in zip(records, _persons(records), strict=True):
            start = [record["file_name"], record["image_id"], person, record["score"]]
            writer.writerow([*start, *record["bbox"], *record["keypoints"]])


def write_npz(path: Path, records: Sequence[dict], names: Sequence[str]) -> None:
    """Writes an `.npz` file of N people that loads without pickle.

    Its arrays are file_name, image_id, person and score (N,), box (N, 4), keypoints (N, K, 2),
    scores (N, K) and names (K,). For the arguments and errors see `write_csv`.
    """
    points = np.array([r["keypoints"] for r in records], np.float32).reshape(-1, len(names), 3)
    arrays = {
        "file_name": np.array([r["file_name"] for r in records], str),
        "image_id": np.array([r["image_id"] for r in records], np.int64),
        "person": np.array(_persons(records), np.int64),
        "score": np.array([r["score"] for r in records], np.float32),
        "box": np.array([r["bbox"] for r in records], np.float32).reshape(-1, 4),
        "keypoints": points[..., :2],
        "scores": points[..., 2],
        "names": np.array(names, str),
    }
    with whole(path) as part:
        np.savez_compressed(part, **arrays)


def _persons(records):
    """The number of each record within its picture: 1, 2, …; a picture's records are adjacent."""
    numbers = []
    for index, record in enumerate(records):
        same = index and records[index - 1]["image_id"] == record["image_id"]
        numbers.append(numbers[-1] + 1 if same else 1)
    return numbers
