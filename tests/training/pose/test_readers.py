"""Readers by format: people come out ready to train on, with the originals' crops."""

import json

import numpy as np
import pytest
from PIL import Image

from hrnet_tf.labels.keypoint_sets import MPII
from hrnet_tf.tasks.pose import geometry
from hrnet_tf.training.pose.readers import FORMATS, READERS

SIZE = (40, 60)  # height, width


@pytest.fixture
def write(tmp_path):
    """Writes an annotation file beside two images and returns (file, folder)."""
    for name in ("a.png", "b.png"):
        Image.new("RGB", SIZE[::-1]).save(tmp_path / name)

    def write(name, content):
        path = tmp_path / name
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return path, tmp_path

    return write


def read(data_format, files):
    problems = []
    return FORMATS[data_format](*files, problems.append), problems


def region(record, padding=1.25):
    """Centre and size of a square crop."""
    center, size = geometry.center_scale(record.box[None], 1.0, padding)
    return np.array(center)[0].tolist(), np.array(size)[0].tolist()


# --- COCO ---


def coco(*people):
    images = [{"id": 1, "file_name": "a.png", "height": SIZE[0], "width": SIZE[1]}]
    same = {"image_id": 1, "category_id": 1, "area": 50, "keypoints": [5, 5, 2]}
    people = [{"id": i, **same, **person} for i, person in enumerate(people)]
    return {"images": images, "annotations": people, "categories": []}


def test_coco_boxes_are_clipped_and_only_people_to_train_on_come_out(write):
    content = coco(
        {"bbox": [-4, 10, 20, 100]},
        {"bbox": [0, 0, 9, 9], "iscrowd": 1},
        {"bbox": [0, 0, 9, 9], "keypoints": [0, 0, 0]},
        {"bbox": [70, 0, 9, 9]},
        {"bbox": [0, 0, 9, 9], "area": 0},
    )
    records, problems = read("coco", write("coco.json", content))
    assert [(r.id, r.box.tolist()) for r in records] == [(0, [0, 10, 19, 29])]
    assert "annotation 3 is left out: its `bbox` lies outside the image." in problems[0]
    assert "annotation 4 is left out: its area is 0." in problems[1]
    assert len(problems) == 2
    everyone = READERS["coco"](*write("coco.json", content), problems.append)
    assert everyone[0].box.tolist() == [-4, 10, 20, 100]
    assert len(everyone) == 5


# --- MPII ---


def mpii(**changes):
    joints = [[10 + i, 20 + i] for i in range(16)]
    person = {"image": "a.png", "center": [30, 20], "scale": 0.1, "joints": joints}
    return person | {"joints_vis": [1] * 16} | changes


def test_mpii_gives_the_crop_of_the_original(write):
    """`lib/dataset/mpii.py`: 15 scales lower, a quarter larger, pixels from 0."""
    records, problems = read("mpii", write("mpii.json", [mpii(scale=0.12)]))
    assert not problems
    center, size = region(records[0])
    np.testing.assert_allclose(center, [30 - 1, 20 + 15 * 0.12 - 1], rtol=1e-6)
    np.testing.assert_allclose(size, [0.12 * 1.25 * 200] * 2, rtol=1e-6)
    assert records[0].keypoints[3].tolist() == [12, 22, 2]
    assert records[0].image.size == SIZE
    assert len(records[0].keypoints) == len(MPII.names)


def test_mpii_people_keep_their_place_in_the_file(write):
    """PCKh finds the truth of a person in `gt_valid.mat` by it."""
    hidden = mpii(joints=[[-1, -1]] * 16, joints_vis=[0] * 16)
    partly = mpii(joints_vis=[0, *[1] * 15], image="b.png")
    records, problems = read("mpii", write("mpii.json", [mpii(), hidden, partly]))
    assert [record.id for record in records] == [0, 2]
    assert records[1].keypoints[0].tolist() == [0, 0, 0]
    assert records[1].image.path.name == "b.png"
    assert not problems


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"joints": [[1, 2]] * 15}, "`joints` has 30 numbers, not 32"),
        ({"joints": [[1, float("inf")]] * 16}, "`joints` has one far outside its image"),
        ({"center": [-1, -1]}, "`center` is [-1, -1]"),
        ({"center": None}, "`center` is no list: None"),
        ({"scale": 0}, "`scale` is 0"),
        ({"scale": "tall"}, "tall"),
        ({"image": "c.png"}, "image c.png is left out: the file is not there"),
        ({"image": 3}, "its `image` is 3, not a name"),
    ],
)
def test_a_bad_mpii_entry_gets_one_line(write, change, reason):
    records, problems = read("mpii", write("mpii.json", [mpii(**change), mpii()]))
    assert [record.id for record in records] == [1]
    (line,) = problems
    assert "is left out" in line and "\n" not in line
    assert reason in line


def test_mpii_entries_without_joints_are_named(write):
    person = mpii()
    del person["joints"]
    records, problems = read("mpii", write("mpii.json", [person, "person", mpii()]))
    assert [record.id for record in records] == [2]
    assert "entry 0 is left out: it has no 'joints'." in problems[0]
    assert "entry 1 is left out" in problems[1]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (coco({"bbox": [0, 0, 9, 9]}), "must be a list of people"),
        ([], "must be a list of people"),
        ([{"image": "a.png", "center": [1, 2], "scale": 1}], "MPII's test data have none"),
        ("[", "must be JSON"),
    ],
)
def test_what_is_not_mpii_is_refused(write, content, message):
    with pytest.raises(ValueError, match=message):
        read("mpii", write("mpii.json", content))


# --- Landmarks ---

HEAD = "image_name,scale,center_w,center_h,original_0_x,original_0_y,original_1_x,original_1_y\n"


def test_a_table_of_landmarks_gives_the_crop_and_target_positions_of_the_original(write):
    """`lib/datasets/wflw.py`: `transform_pixel(p + 1) - 1` is the plain affine map of p."""
    table = HEAD + "a.png,0.12,30.5,19,25.25,12,35,26.5\n"
    (record,), problems = read("landmarks", write("faces.csv", table))
    assert not problems
    scale = 1.25 * 0.12
    center, size = region(record)
    np.testing.assert_allclose(center, [30.5, 19], rtol=1e-6)
    np.testing.assert_allclose(size, [200 * scale] * 2, rtol=1e-6)
    matrix = geometry.affine([center], [size], (64, 64))
    found = np.array(geometry.transform(record.keypoints[None, :, :2], matrix))[0]
    points = np.array([[25.25, 12], [35, 26.5]])
    np.testing.assert_allclose(found, (points - [30.5, 19]) * 64 / (200 * scale) + 32, rtol=1e-5)
    assert record.keypoints.tolist() == [[25.25, 12, 2], [35, 26.5, 2]]
    assert (record.id, record.image.size) == (0, SIZE)


def test_tables_with_box_size_and_without_heading(write):
    """AFLW's have a column more; nothing but the number of columns tells."""
    head = HEAD.replace("scale,", "scale,box_size,")
    rows = "a.png,0.1,20,30,20,25,12,35,26\nb.png,0.2,40,31,21,25,12,35,26\n"
    with_head, _ = read("landmarks", write("aflw.csv", head + rows))
    without, problems = read("landmarks", write("bare.csv", "\ufeff" + rows + "\n"))
    assert not problems
    for records in (with_head, without):
        assert [r.box.tolist() for r in records] == [[20, 10, 20, 20], [11, 1, 40, 40]]
        assert records[1].keypoints.tolist() == [[25, 12, 2], [35, 26, 2]]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("a.png,0.1,30,20,25,12,35", "line 2 is left out: it has 7 columns, not 8"),
        ("a.png,0.1,30,20,25,12,35,", "line 2 is left out: could not convert"),
        ("a.png,0.1,30,20,25,12,35,nan", "line 2 is left out: a landmark is not a number"),
        ("a.png,0,30,20,25,12,35,26", "line 2 is left out: its scale is 0"),
        ("a.png,0.1,inf,20,25,12,35,26", "line 2 is left out: its center is"),
        (",0.1,30,20,25,12,35,26", "line 2 is left out: it names no image"),
        ("c.png,0.1,30,20,25,12,35,26", "image c.png is left out: the file is not there"),
    ],
)
def test_a_bad_row_gets_one_line(write, row, reason):
    table = HEAD + row + "\na.png,0.1,30,20,25,12,35,26\nb.png,0.1,30,20,25,12,35,26\n"
    records, problems = read("landmarks", write("faces.csv", table))
    assert [record.id for record in records] == [1, 2]
    (line,) = problems
    assert reason in line


@pytest.mark.parametrize("content", ["", HEAD, "a,b\n1,2\n", "a.png,1,2,3\n", "\x00\x01", "{}"])
def test_what_is_no_table_of_landmarks_is_refused(write, content):
    with pytest.raises(ValueError, match="must be a table of image, scale"):
        read("landmarks", write("faces.csv", content))


def test_faces_in_json_have_a_center_and_a_scale_or_get_them_from_their_landmarks(write):
    points = [10.5, 12, 1, 20.2, 17, 1, 0, 0, 0]
    face = {"bbox": [0, 0, 1, 1], "keypoints": points}
    content = coco(face | {"center": [15, 14], "scale": 0.1}, face, face | {"keypoints": [0] * 9})
    records, problems = read("landmarks", write("faces.json", content))
    assert [r.box.tolist() for r in records] == [[5, 4, 20, 20], [10, 9, 11, 11]]
    assert "annotation 2 is left out: it has neither" in problems[0]
    assert len(problems) == 1


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"center": [1, 2, 3]}, "not two numbers"),
        ({"center": "middle"}, "middle"),
        ({"scale": float("nan")}, "its scale is nan"),
        ({"scale": None}, "annotation 0"),
    ],
)
def test_a_bad_face_gets_one_line(write, change, reason):
    face = {"center": [15, 14], "scale": 0.1}
    records, problems = read("landmarks", write("faces.json", coco(face | change, face)))
    assert [record.id for record in records] == [1]
    assert reason in problems[0] and "annotation 0 is left out" in problems[0]


# --- Real files ---

# file: format; box of each person, and the first joint of the last
REAL = {
    "mpii/test_mpii": (
        "mpii",
        [
            [493.1512, -62.07148, 943.6976, 943.6976],
            [138.8165, 69.244025, 352.367, 352.367],
            [715.0767, 128.165195, 627.8466, 627.8466],
            [483.1123, 125.845455, 649.7754, 649.7754],
            [359.5204, 116.14234, 674.9592, 674.9592],
        ],
        [693, 683, 2],
    ),
    "wflw/test_wflw": (
        "landmarks",
        [[440, 122, 85, 85], [723.5, 302, 91, 91], [730.5, 731, 112, 112], [470, 351, 75, 75]],
        [473.170593, 353.335999, 1],
    ),
    "300w/test_300w": (
        "landmarks",
        [[251, 265, 477, 477], [70, 203, 526, 526]],
        [70, 292.332, 1],
    ),
    "aflw/test_aflw": (
        "landmarks",
        [[268, 140, 362, 362], [102, 121, 128, 128]],
        [126.647453, 157.273056, 1],
    ),
    "cofw/test_cofw": (
        "landmarks",
        [[8, 110, 162, 162], [94, 92, 127, 127]],
        [111.025817, 99.602601, 1],
    ),
}


@pytest.mark.data
@pytest.mark.parametrize("name", REAL)
def test_real_files(data_dir, name):
    path = data_dir / "mmpose_tests/data" / f"{name}.json"
    data_format, boxes, joint = REAL[name]
    records, problems = read(data_format, (path, path.parent))
    assert not problems
    np.testing.assert_allclose([record.box for record in records], boxes, atol=1e-6)
    np.testing.assert_allclose(records[-1].keypoints[0], joint, atol=1e-6)
    for record in records:
        with Image.open(record.image.path) as image:
            assert image.size == record.image.size[::-1]


@pytest.mark.data
@pytest.mark.parametrize("name", ["wflw", "300w"])
def test_centers_and_scales_of_real_faces_follow_from_their_landmarks(data_dir, name, write):
    """So faces without them, such as COFW's, are cropped alike."""
    path = data_dir / f"mmpose_tests/data/{name}/test_{name}.json"
    content = json.loads(path.read_text())
    for annotation in content["annotations"]:
        del annotation["center"], annotation["scale"]
    bare, _ = write("bare.json", content)
    given, _ = read("landmarks", (path, path.parent))
    told, _ = read("landmarks", (bare, path.parent))
    boxes = [[record.box for record in records] for records in (given, told)]
    np.testing.assert_allclose(*boxes, atol=1e-9)


@pytest.mark.data
def test_table_and_json_of_real_faces_are_read_alike(data_dir, write):
    path = data_dir / "mmpose_tests/data/wflw/test_wflw.json"
    content = json.loads(path.read_text())
    names = {image["id"]: image["file_name"] for image in content["images"]}
    rows = [
        [names[face["image_id"]], face["scale"], *face["center"]]
        + [value for i, value in enumerate(face["keypoints"]) if i % 3 < 2]
        for face in content["annotations"]
    ]
    table = "\n".join(",".join(map(str, row)) for row in rows)
    file, _ = write("wflw.csv", table)
    for ours, theirs in zip(
        read("landmarks", (file, path.parent))[0],
        read("landmarks", (path, path.parent))[0],
        strict=True,
    ):
        assert ours.image.path == theirs.image.path
        assert ours.image.size == theirs.image.size
        assert ours.box.tolist() == theirs.box.tolist()
        assert ours.keypoints[:, :2].tolist() == theirs.keypoints[:, :2].tolist()
