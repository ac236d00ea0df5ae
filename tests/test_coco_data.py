"""Reading COCO keypoint files: what is good is kept, what is bad gets one line."""

import copy
import json

import numpy as np
import pytest
from PIL import Image

from hrnet_tf.training.data.coco import clean_boxes, read_coco, read_images, trainable

CONTENT = {
    "images": [
        {"id": 5, "file_name": "a.png", "height": 40, "width": 60},
        {"id": 6, "file_name": "b.png", "height": 40, "width": 60},
    ],
    "annotations": [
        {
            "id": 10,
            "image_id": 5,
            "category_id": 1,
            "bbox": [1, 2, 30.5, 20],
            "area": 300,
            "keypoints": [3, 4, 2, 0, 0, 0],
        },
        {
            "id": 11,
            "image_id": 5,
            "category_id": 1,
            "bbox": [0, 0, 60, 40],
            "area": 900,
            "iscrowd": 1,
            "keypoints": [3, 4, 2, 0, 0, 0],
        },
        {
            "id": 12,
            "image_id": 5,
            "category_id": 1,
            "bbox": [0, 0, 6, 4],
            "area": 9,
            "keypoints": [0, 0, 0, 0, 0, 0],
        },
    ],
    "categories": [
        {"id": 1, "name": "person", "keypoints": ["nose", "left_eye"]},
        {"id": 3, "name": "car"},
    ],
}


@pytest.fixture
def write(tmp_path):
    """Writes content, and the images it names, and returns (file, folder)."""

    def write(content, images=("a.png", "b.png")):
        for name in images:
            Image.new("RGB", (60, 40)).save(tmp_path / name)
        path = tmp_path / "annotations.json"
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return path, tmp_path

    return write


def test_records_hold_what_the_file_says(write):
    problems = []
    first, crowd, unlabelled = read_coco(*write(CONTENT), problems.append)
    assert not problems
    assert (first.id, first.image.id, first.image.size, first.area) == (10, 5, (40, 60), 300)
    assert first.image.path.name == "a.png"
    assert first.box.tolist() == [1, 2, 30.5, 20]
    assert first.keypoints.tolist() == [[3, 4, 2], [0, 0, 0]]
    assert (first.crowd, crowd.crowd, unlabelled.crowd) == (False, True, False)
    assert trainable([first, crowd, unlabelled]) == [first]


def test_images_without_people_are_known(write):
    assert list(read_images(*write(CONTENT))) == [5, 6]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"keypoints": [1, 2, 2]}, "3 values, not 6"),
        ({"keypoints": [1, 2, 2, 0, float("nan"), 0]}, "not a number"),
        ({"keypoints": None}, "1 values, not 6"),
        ({"bbox": [1, 2, 3]}, "not four numbers"),
        ({"bbox": [1, 2, float("inf"), 3]}, "not four numbers"),
        ({"bbox": [1, 2, 0, 3]}, "box is empty"),
        ({"bbox": "wide"}, "annotation 10"),
        ({"area": float("nan")}, "area is nan"),
        ({"area": None}, "annotation 10"),
        ({"image_id": 99}, "no image has the id 99"),
    ],
)
def test_a_bad_annotation_gets_one_line_and_the_rest_goes_on(write, change, reason):
    content, problems = copy.deepcopy(CONTENT), []
    content["annotations"][0] |= change
    records = read_coco(*write(content), problems.append)
    assert [record.id for record in records] == [11, 12]
    (line,) = problems
    assert reason in line and "annotation 10 is left out" in line and "\n" not in line


def test_what_is_missing_or_no_annotation_is_named(write):
    content, problems = copy.deepcopy(CONTENT), []
    del content["annotations"][0]["bbox"]
    content["annotations"].append("person")
    assert len(read_coco(*write(content), problems.append)) == 2
    assert "annotation 10 is left out: it has no 'bbox'." in problems[0]
    assert "annotation number 4 is left out" in problems[1]


def test_a_missing_image_is_reported_once(write):
    problems = []
    assert read_coco(*write(CONTENT, images=["b.png"]), problems.append) == []
    (line,) = problems
    assert line.endswith("image a.png is left out: the file is not there.")


def test_other_categories_are_passed_over(write):
    content, problems = copy.deepcopy(CONTENT), []
    content["annotations"][0] = {"id": 1, "image_id": 5, "category_id": 3, "bbox": [0, 0, 1, 1]}
    assert len(read_coco(*write(content), problems.append)) == 2
    assert not problems


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"images": [', "must be JSON"),
        ([{"image_id": 1}], "must hold the lists"),
        (CONTENT | {"categories": []}, "category with keypoints"),
    ],
)
def test_another_file_is_refused(write, content, message):
    with pytest.raises(ValueError, match=message):
        read_coco(*write(content))


def test_wrong_paths_are_refused(write, tmp_path):
    path, folder = write(CONTENT)
    with pytest.raises(FileNotFoundError, match="`annotations` must be a file"):
        read_coco(folder / "nothing.json", folder)
    with pytest.raises(FileNotFoundError, match="`images_dir` must be a folder"):
        read_coco(path, folder / "nowhere")


def _clean_one(box, area, size):
    """The rule of the original for one box, or None where it is dropped."""
    (x, y, w, h), (height, width) = box, size
    x1, y1 = max(0, x), max(0, y)
    x2, y2 = min(width - 1, x1 + max(0, w - 1)), min(height - 1, y1 + max(0, h - 1))
    return (x1, y1, x2 - x1, y2 - y1) if area > 0 and x2 >= x1 and y2 >= y1 else None


def test_clean_boxes_follows_the_original():
    rng = np.random.default_rng(0)
    boxes = rng.uniform((-20, -20, 0, 0), (80, 60, 60, 60), (200, 4))
    sizes = rng.integers(30, 70, (200, 2))
    areas = rng.uniform(-0.2, 1, 200)
    cleaned, keep = clean_boxes(boxes, areas, sizes)
    expected = [_clean_one(*row) for row in zip(boxes, areas, sizes, strict=True)]
    assert keep.tolist() == [box is not None for box in expected]
    assert 20 < keep.sum() < 180
    np.testing.assert_allclose(cleaned[keep], [box for box in expected if box], atol=1e-9)


@pytest.mark.data
def test_real_coco_files_are_read_whole(data_dir):
    root, problems = data_dir / "coco_kp_subset", []
    path = root / "annotations" / "person_keypoints_val2017.json"
    records = read_coco(path, root / "val2017", problems.append)
    assert not problems
    assert len(records) == 197
    assert len(trainable(records)) == 120
    assert len(read_images(path, root / "val2017")) == 113
