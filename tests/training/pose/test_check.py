"""Looking through a data set: every flaw gets a line, and nothing stops the search."""

import json
import re

import numpy as np
import pytest
from PIL import ExifTags, Image

from hrnet_tf.labels.keypoint_sets import COCO, COCO_WHOLEBODY, CROWDPOSE, HAND21, MPII, WFLW
from hrnet_tf.labels.keypoints import keypoint_set
from hrnet_tf.training.pose.check import check

PET = keypoint_set(["nose", "left_eye", "right_eye"], name="pet")
GOOD = [20, 20, 2, 25, 15, 2, 15, 15, 1]


def content(*people, count=None, **category):
    """Annotations of so many good people, or of `people`, on an image of 60 x 40."""
    good = {"image_id": 1, "category_id": 1, "bbox": [5, 5, 40, 30], "area": 600}
    people = people or [{}] * count
    people = [
        {"id": i, **good, "keypoints": [20 + 0.01 * i, *GOOD[1:]], **person}
        for i, person in enumerate(people)
    ]
    category = {"id": 1, "name": "pet", "keypoints": list(PET.names), **category}
    image = {"id": 1, "file_name": "a.jpg", "width": 60, "height": 40}
    return {"images": [image], "annotations": people, "categories": [category]}


@pytest.fixture
def find(tmp_path):
    """Checks such content."""
    Image.new("RGB", (60, 40)).save(tmp_path / "a.jpg")

    def find(content, keypoints=PET, data_format="coco"):
        path = tmp_path / "people.json"
        path.write_text(json.dumps(content))
        return check(path, tmp_path, keypoints, data_format)

    return find


def test_good_data_are_counted_and_nothing_is_said(find):
    people = [{}, {}, {"iscrowd": 1}, {"keypoints": [0] * 9}, {"keypoints": [*GOOD[:6], 0, 0, 0]}]
    found = find(content(*people))
    assert (found.problems, found.remarks) == ((), ())
    assert (found.images, found.people, found.crowds, found.unlabelled) == (1, 3, 1, 1)
    assert found.labelled == {"nose": 3, "left_eye": 3, "right_eye": 2}


def test_all_bad_records_of_a_file_are_named_in_one_go(find, tmp_path):
    (tmp_path / "broken.jpg").write_bytes((tmp_path / "a.jpg").read_bytes()[:400])
    Image.new("RGB", (60, 40)).save(tmp_path / "b.gif")
    Image.new("RGB", (40, 60)).save(tmp_path / "high.jpg")
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    Image.new("RGB", (40, 60)).save(tmp_path / "turned.jpg", exif=exif)
    bad = content(
        {"keypoints": [1, 2, 2]},
        {"bbox": [5, 5, 0, 30]},
        {"bbox": [80, 5, 10, 30]},
        {"keypoints": [float("nan"), *GOOD[1:]]},
        {"image_id": 2},
        {"image_id": 3},
        {"image_id": 4},
        {"image_id": 5},
        {"image_id": 6},
        {},
        {},
    )
    names = ["broken.jpg", "b.gif", "high.jpg", "turned.jpg", "nowhere.jpg"]
    bad["images"] += [
        {"id": i, "file_name": name, "width": 60, "height": 40} for i, name in enumerate(names, 2)
    ]
    found = find(bad)
    expected = [
        r"people.json: annotation 0 is left out: `keypoints` has 3 values, not 9\.$",
        r"people.json: annotation 1 is left out: its `bbox` is empty: \[5, 5, 0, 30\]\.$",
        r"annotation 2 is left out: its `bbox` lies outside the image\.$",
        r"broken.jpg is left out: it cannot be decoded \(.+\)\.$",
        r"high.jpg is left out: it is 40 pixels wide and 60 high, by its `width` and `height` 60",
        r"image nowhere.jpg is left out: its `file_name` is not there\.$",
    ]
    for line in expected:
        assert sum(bool(re.search(line, problem)) for problem in found.problems) == 1, line
    assert len(found.problems) == len(expected)
    assert not any("\n" in problem for problem in found.problems)
    # A keypoint that is NaN is not labelled; any picture is read, and the right way up.
    assert (found.people, found.images, found.labelled["nose"]) == (5, 3, 4)


@pytest.mark.parametrize(
    ("keypoints", "remark"),
    [
        ([20, 20, 2, 25, 15, 2, 0, 0, 2], "annotation 0: labelled at (0, 0): right_eye."),
        ([20, 20, 2, 65, 15, 2, 15, 44, 2], "annotation 0: outside the image: left_eye, right_eye"),
        ([20, 20, 2, 25, 15, 2, 57, 15, 2], "annotation 0: far outside its box: right_eye."),
        ([20, 20, 2, 25, 15, 2, 15, 15, 3], "annotation 0: visibility is not 0, 1 or 2: right_eye"),
    ],
)
def test_joints_in_strange_places_are_named(find, keypoints, remark):
    found = find(content({"keypoints": keypoints, "bbox": [15, 5, 20, 20], "area": 300}))
    assert not found.problems
    (line,) = found.remarks
    assert remark in line


def test_what_is_there_twice_is_named(find):
    twice = content({"id": 7}, {"id": 7}, {"id": "7"}, {"keypoints": GOOD})
    twice["images"].append(twice["images"][0])
    found = find(twice)
    assert [line.split(": ")[1] for line in found.problems] == [
        "annotation 3 is left out",
        "2 images have the id 1.",
        "3 annotations have the id 7.",
    ]
    assert "its `bbox` and `keypoints` are those of annotation 7." in found.problems[0]
    assert found.remarks == ()


def test_another_set_of_keypoints_is_noticed(find):
    found = find(content(count=2), keypoints=HAND21)
    (problem,) = found.problems
    assert "people have 3 keypoints, the set 'hand21' has 21" in problem
    assert found.labelled == {"0": 2, "1": 2, "2": 2}
    order = ["nose", "right eye", "left eye"]
    (problem,) = find(content(count=2, keypoints=order)).problems
    assert "keypoint 1 is called 'right eye' in the category 'pet' and 'left_eye'" in problem
    assert "another order" in problem
    (remark,) = find(content(count=2, keypoints=["snout", *PET.names[1:]])).remarks
    assert "keypoint 0 is called 'snout' in the category 'pet' and 'nose' in the set" in remark
    spelt = ["Nose", "Left-Eye", "eye_r"]
    assert find(content(count=2, keypoints=spelt)).remarks == ()


def test_left_and_right_exchanged_are_noticed(find):
    """Eyes decide; a few people, or half of them, give no hint."""

    def remarks(swapped, right):
        eyes = [15, 15, 2, 25, 15, 2]
        people = [{"keypoints": [21 + 0.01 * i, 20, 2, *eyes]} for i in range(swapped)]
        return find(content(*people, *[{}] * right)).remarks

    (line,) = remarks(18, 2)
    assert "In 90% of 20 people the left eyes are on the left of the right ones" in line
    assert remarks(10, 10) == remarks(2, 18) == remarks(18, 0) == ()


def test_a_keypoint_that_nobody_has_is_named(find):
    (remark,) = find(content({"keypoints": [*GOOD[:6], 0, 0, 0]})).remarks
    assert remark.endswith("people.json: right_eye is labelled in nobody.")


def test_nobody_to_train_on_is_a_problem(find):
    found = find(content({"iscrowd": 1}))
    assert found.problems[-1].endswith("there is nobody to train on.")
    assert found.labelled == {"nose": 0, "left_eye": 0, "right_eye": 0}


def test_other_formats_are_looked_through_too(find, tmp_path):
    joints = {"joints": [[20 + i, 20] for i in range(16)], "joints_vis": [1] * 16}
    people = [
        {"image": "a.jpg", "center": [30, 20], "scale": 0.2, **joints},
        {"image": "a.jpg", "center": [300, 20], "scale": 0.2, **joints},
    ]
    found = find(people, MPII, "mpii")
    assert found.people == 2 and not found.problems
    first, second, *_ = found.remarks
    assert "most joints of 1 of 2 people lie outside the square" in first
    assert "annotation 1: its box lies outside the image." in second
    (tmp_path / "faces.csv").write_text(
        "a.jpg,0.1,30,20,31,20,29,20\nb.jpg,0.1,30,20,31,20,29,20\n"
    )
    faces = keypoint_set(["left", "right"])
    found = check(tmp_path / "faces.csv", tmp_path, faces, "landmarks")
    assert (found.people, len(found.problems), found.remarks) == (1, 1, ())


def test_an_unknown_format_is_refused(find):
    with pytest.raises(ValueError, match="`data_format` must be one of coco, mpii, landmarks"):
        find(content({}), data_format="yolo")


@pytest.mark.data
def test_real_coco_is_sound(data_dir):
    """No false alarm in 259 people; and the whole set swapped is noticed."""
    root = data_dir / "coco_kp_subset"
    for split, people, images in (("val", 120, 53), ("train", 139, 45)):
        path = root / f"annotations/person_keypoints_{split}2017.json"
        found = check(path, root / f"{split}2017", COCO)
        assert (found.problems, found.remarks) == ((), ())
        assert (found.people, found.images) == (people, images)
    assert (found.crowds, found.unlabelled, found.labelled["nose"]) == (6, 114, 102)


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "keypoints", "data_format", "people"),
    [
        ("crowdpose/test_crowdpose", CROWDPOSE, "coco", 4),
        ("coco/test_coco_wholebody", COCO_WHOLEBODY, "coco", 12),
        ("onehand10k/test_onehand10k", HAND21, "coco", 4),
        ("mpii/test_mpii", MPII, "mpii", 5),
        ("wflw/test_wflw", WFLW, "landmarks", 4),
    ],
)
def test_other_real_files_are_sound(data_dir, name, keypoints, data_format, people):
    path = data_dir / "mmpose_tests/data" / f"{name}.json"
    found = check(path, path.parent, keypoints, data_format)
    assert (found.problems, found.remarks, found.people) == ((), (), people)


@pytest.mark.data
def test_real_people_in_a_mirror_are_noticed(data_dir, tmp_path):
    root = data_dir / "coco_kp_subset"
    people = json.loads((root / "annotations/person_keypoints_val2017.json").read_text())
    index = np.arange(17)
    index[np.array(COCO.flip_pairs)] = np.array(COCO.flip_pairs)[:, ::-1]
    for person in people["annotations"]:
        points = np.reshape(person["keypoints"], (17, 3))
        person["keypoints"] = points[index].ravel().tolist()
    path = tmp_path / "swapped.json"
    path.write_text(json.dumps(people))
    (line,) = check(path, root / "val2017", COCO).remarks
    assert "In 100% of 59 people" in line
