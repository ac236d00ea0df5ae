"""Reading COCO keypoint files: what is good is kept, what is bad gets one line."""

import copy
import json

import numpy as np
import pytest
from PIL import Image

from hrnet_tf.labels.keypoint_sets import COCO_WHOLEBODY
from hrnet_tf.training.data.coco_json import image_files, read_coco_json
from hrnet_tf.training.pose.readers.coco import clean_boxes, read_coco, trainable
from hrnet_tf.training.pose.readers.points import all_keypoints

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
    path, folder = write(CONTENT)
    assert list(image_files(read_coco_json(path), folder)[0]) == [5, 6]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"keypoints": [1, 2, 2]}, "3 values, not 6"),
        ({"keypoints": [1, 2, 2, 0, float("inf"), 0]}, "not a number"),
        ({"keypoints": [1, 2, 2, 0, "left", 0]}, "not a number"),
        ({"keypoints": [1, 2, True, 0, 0, 0]}, "`keypoints` has True"),
        ({"keypoints": [1, 1e200, 2, 0, 0, 0]}, "far outside its image"),
        ({"keypoints": [[1, 2, 2], [0, 0]]}, "three numbers for each keypoint"),
        ({"keypoints": None}, "`keypoints` is no list: None"),
        ({"keypoints": []}, "0 values, not 6"),
        ({"bbox": [1, 2, 3]}, "not four numbers"),
        ({"bbox": [1, 2, float("inf"), 3]}, "not four numbers"),
        ({"bbox": [1, 2, 0, 3]}, "`bbox` is empty"),
        ({"bbox": "wide"}, "annotation 10"),
        ({"area": float("nan")}, "area is nan"),
        ({"area": "large"}, "`area` has a value that is not a number"),
        ({"bbox": [1, 2, True, 3]}, "`bbox` has True"),
        ({"bbox": [1, 2, 1e200, 3]}, "not four numbers within an image"),
        ({"iscrowd": "no"}, "`iscrowd` must be 0 or 1"),
        ({"image_id": 99}, "no image has the id 99"),
        ({"image_id": None}, "no image has the id None"),
        ({"image_id": [5]}, r"no image has the id [5]"),
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
    assert "annotation 10 is left out: it has no `bbox`, and one" in problems[0]
    assert "annotation number 4 is left out" in problems[1]


def test_a_missing_image_is_reported_once(write):
    problems = []
    assert read_coco(*write(CONTENT, images=["b.png"]), problems.append) == []
    (line,) = problems
    assert line.endswith("image a.png is left out: its `file_name` is not there.")


def test_other_categories_are_passed_over(write):
    content, problems = copy.deepcopy(CONTENT), []
    content["annotations"][0] = {"id": 1, "image_id": 5, "category_id": 3, "bbox": [0, 0, 1, 1]}
    assert len(read_coco(*write(content), problems.append)) == 2
    assert not problems


@pytest.mark.parametrize(
    "categories",
    [
        [],
        None,
        [{"id": 1, "name": "person"}],
        [{"id": 1, "keypoints": []}],
        [{"id": 1, "keypoints": ["a", "b", "c"]}],
    ],
)
def test_the_annotations_say_how_many_keypoints_there_are(write, categories):
    """Face files have empty lists, Halpe's and Human-Art's name other keypoints than they hold."""
    content, problems = CONTENT | {"categories": categories}, []
    assert len(read_coco(*write(content), problems.append)) == 3
    assert not problems


def test_without_area_a_person_has_half_of_its_box(write):
    """CrowdPose's and AI Challenger's have none; 0 would leave everyone out of training."""
    content = copy.deepcopy(CONTENT)
    del content["annotations"][0]["area"]
    assert read_coco(*write(content))[0].area == pytest.approx(0.53 * 30.5 * 20)


def test_parts_of_a_whole_body_are_joined_and_invalid_ones_are_not_labelled():
    lengths = {"foot": 6, "face": 68, "lefthand": 21, "righthand": 21}
    annotation = {"keypoints": [0, 0, 2] * 17}
    for value, (part, count) in enumerate(lengths.items(), 1):
        annotation[f"{part}_kpts"] = [value, value, 1] * count
        annotation[f"{part}_valid"] = part != "lefthand"
    joined = np.reshape(all_keypoints(annotation), (-1, 3))
    assert len(joined) == len(COCO_WHOLEBODY.names)
    starts = [COCO_WHOLEBODY.names.index(n) for n in ("left_big_toe", "face_0", "left_hand_root")]
    assert starts == [17, 23, 91]
    expected = np.repeat([0, 1, 2, 0, 4], [17, 6, 68, 21, 21])
    assert joined[:, 0].tolist() == expected.tolist()
    assert (joined[:, 2] > 0).tolist() == [True] * 91 + [False] * 21 + [True] * 21


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"images": [', "must be JSON"),
        ([{"image_id": 1}], "must hold the lists"),
        (CONTENT | {"annotations": [{"id": 1, "bbox": [0, 0, 1, 1]}]}, "must have `keypoints`"),
        (CONTENT | {"annotations": []}, "must have `keypoints`"),
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
    assert len(image_files(read_coco_json(path), root / "val2017")[0]) == 113


# file, people, to train on, keypoints, labelled ones of all; of the first: its area, a joint
REAL = {
    "aic/test_aic": (9, 9, 14, 101, 0.53 * 213 * 544, [395, 74, 2]),
    "crowdpose/test_crowdpose": (5, 4, 14, 47, 0.53 * 273.15 * 352.42, [256, 27, 1]),
    "coco/test_coco_wholebody": (14, 12, 133, 701, 27789.11055, [393, 214, 2]),
    "onehand10k/test_onehand10k": (4, 4, 21, 63, 19206, [107, 101, 1]),
    "freihand/test_freihand": (8, 8, 21, 168, 6552, [159.18276, 122.12861, 1]),
    "ochuman/test_ochuman": (5, 5, 17, 73, 356725, [352, 477, 2]),
    "jhmdb/test_jhmdb_sub1": (3, 3, 15, 45, 0.53 * 54 * 159, [125.37212, 117.14276, 2]),
}


@pytest.mark.data
@pytest.mark.parametrize("name", REAL)
def test_real_files_in_coco_format(data_dir, name):
    path, problems = data_dir / "mmpose_tests/data" / f"{name}.json", []
    records = read_coco(path, path.parent, problems.append)
    people, usable, count, labelled, area, joint = REAL[name]
    assert not problems
    assert (len(records), len(trainable(records))) == (people, usable)
    assert {record.keypoints.shape for record in records} == {(count, 3)}
    assert sum((record.keypoints[:, 2] > 0).sum() for record in records) == labelled
    assert records[0].area == pytest.approx(area)
    np.testing.assert_allclose(records[0].keypoints[12], joint, atol=1e-5)


@pytest.mark.data
def test_a_real_whole_body_is_joined_as_mmpose_joins_it(data_dir):
    """One of its files for metrics holds the same people with all 133 keypoints in one list."""
    folder = data_dir / "mmpose_tests/data/coco"
    parts = json.loads((folder / "test_coco_wholebody.json").read_text())["annotations"]
    whole = json.loads((folder / "test_keypoint_partition_metric.json").read_text())["annotations"]
    assert [all_keypoints(each) for each in parts] == [each["keypoints"] for each in whole]
