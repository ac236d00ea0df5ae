"""Tables say what the COCO results say."""

import csv

import numpy as np
import pytest

from hrnet_tf.tasks.pose.results import write_csv, write_npz

NAMES = ("nose", "tail")


def _record(file_name, image_id, first):
    numbers = [first + i / 4 for i in range(6)]
    box = [first, 2.0, 30.0, 40.0]
    return dict(
        file_name=file_name, image_id=image_id, keypoints=numbers, score=first / 8, bbox=box
    )


RECORDS = [_record("Größe, 1.jpg", 7, 1.0), _record("Größe, 1.jpg", 7, 2.0), _record("b", 9, 3.0)]


def test_csv_has_a_line_per_person(tmp_path):
    write_csv(tmp_path / "x.csv", RECORDS, NAMES)
    with open(tmp_path / "x.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["person"] for row in rows] == ["1", "2", "1"]
    for row, record in zip(rows, RECORDS, strict=True):
        assert row["file_name"] == record["file_name"]
        assert int(row["image_id"]) == record["image_id"]
        assert float(row["score"]) == record["score"]
        assert [float(row[c]) for c in ("x", "y", "width", "height")] == record["bbox"]
        parts = [float(row[f"{name}_{part}"]) for name in NAMES for part in ("x", "y", "score")]
        assert parts == record["keypoints"]


@pytest.mark.parametrize("count", [3, 0])
def test_npz_opens_without_pickles_also_when_empty(tmp_path, count):
    write_npz(tmp_path / "x.npz", RECORDS[:count], NAMES)
    with np.load(tmp_path / "x.npz", allow_pickle=False) as arrays:
        assert arrays["names"].tolist() == list(NAMES)
        assert arrays["keypoints"].shape == (count, 2, 2)
        assert arrays["scores"].shape == (count, 2)
        assert arrays["box"].shape == (count, 4)
        assert arrays["file_name"].tolist() == [r["file_name"] for r in RECORDS[:count]]
        assert arrays["image_id"].tolist() == [7, 7, 9][:count]
        assert arrays["person"].tolist() == [1, 2, 1][:count]
        triplets = np.concatenate([arrays["keypoints"], arrays["scores"][..., None]], axis=-1)
        expected = np.reshape([r["keypoints"] for r in RECORDS[:count]], (count, 2, 3))
        np.testing.assert_array_equal(triplets, expected)
