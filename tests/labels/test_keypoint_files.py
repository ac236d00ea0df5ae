"""Keypoint sets of one's own: little to write, and every mistake is named."""

import json

import pytest

from hrnet_tf.labels.keypoint_files import read_keypoint_set, write_keypoint_set
from hrnet_tf.labels.keypoint_sets import COCO, CROWDPOSE, HAND21, KEYPOINT_SETS
from hrnet_tf.labels.keypoints import CENTER, LEFT, RIGHT

NAMES = ["nose", "left_ear", "right_ear", "left_front_paw", "right_front_paw", "tail"]


@pytest.fixture
def read(tmp_path):
    """Reads such content, or such text, from pet.json."""

    def read(content):
        path = tmp_path / "pet.json"
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return read_keypoint_set(path)

    return read


def test_names_are_enough(read):
    keypoints = read({"names": NAMES})
    assert (keypoints.name, keypoints.names) == ("pet", tuple(NAMES))
    assert keypoints.flip_pairs == ((1, 2), (3, 4))
    assert (keypoints.skeleton, keypoints.colors, keypoints.upper_body) == ((), (), ())
    assert keypoints.point_colors == (CENTER, CENTER, CENTER, LEFT, RIGHT, CENTER)
    assert keypoints.sigmas is None
    assert keypoints.source == "pet.json"


def test_keypoints_go_by_name_or_by_place(read):
    keypoints = read(
        {
            "names": NAMES,
            "flip_pairs": [["left_ear", "right_ear"]],
            "skeleton": [["nose", "tail"], [0, "left_front_paw"]],
            "upper_body": ["nose", 1],
        }
    )
    assert keypoints.flip_pairs == ((1, 2),)
    assert keypoints.skeleton == ((0, 5), (0, 3))
    assert keypoints.colors == (CENTER, LEFT)
    assert keypoints.upper_body == (0, 1)


@pytest.mark.parametrize("keypoints", KEYPOINT_SETS.values(), ids=KEYPOINT_SETS)
def test_a_written_set_is_read_as_it_was(keypoints, tmp_path):
    path = tmp_path / "set.json"
    write_keypoint_set(path, keypoints)
    assert read_keypoint_set(path) == keypoints


def test_colors_and_sigmas_are_taken(read):
    first = read({"names": NAMES, "skeleton": [[0, 5]], "colors": [[1, 2, 3]], "sigmas": [0.1] * 6})
    assert first.colors == ((1, 2, 3),)
    assert first.sigmas == (0.1,) * 6


def test_nothing_is_overwritten_unasked(tmp_path):
    path = tmp_path / "set.json"
    write_keypoint_set(path, COCO)
    with pytest.raises(ValueError, match=r"set.json: is there already; .* overwrite=True"):
        write_keypoint_set(path, HAND21)
    assert read_keypoint_set(path) == COCO
    write_keypoint_set(path, HAND21, overwrite=True)
    assert read_keypoint_set(path) == HAND21


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"skelton": []}, r"no field is called 'skelton'\. Did you mean skeleton\?"),
        ({"names": []}, "`names` must be a list with one name per keypoint. It is missing"),
        ({"names": "nose"}, "`names` must be a list"),
        ({"names": ["nose", 3]}, "`names` must be words. Received: 3"),
        ({"names": ["nose", " "]}, "`names` must be words. Received: ' '"),
        ({"names": ["nose", "nose"]}, "`names` must differ. Received: 'nose' more than once"),
        ({"name": 3}, "`name` must be text"),
        ({"flip_pairs": [[1, 2, 3]]}, "`flip_pairs` must hold pairs"),
        ({"flip_pairs": [[1, 2], [2, 3]]}, "`flip_pairs` .* at most once"),
        ({"flip_pairs": 3}, "`flip_pairs` must be a list"),
        ({"skeleton": [["nose", "tial"]]}, r"`skeleton` .* Received: 'tial'\. Did you mean tail\?"),
        ({"skeleton": [[0, 6]]}, "`skeleton` .* ids from 0 to 5. Received: 6"),
        ({"skeleton": [[0, None]]}, "`skeleton` .* Received: None"),
        ({"skeleton": [[0, True]]}, "`skeleton` .* Received: True"),
        ({"upper_body": [[0]]}, r"`upper_body` .* Received: \[0\]"),
        ({"sigmas": [0.1]}, "`sigmas` .* must have 6 entries"),
        ({"sigmas": [0.1] * 5 + ["x"]}, "`sigmas` must be 6 positive numbers.* Received: 'x'"),
        ({"sigmas": [0.1] * 5 + [0]}, "`sigmas` must be 6 positive numbers.* Received: 0"),
        ({"sigmas": [0.1] * 5 + [float("nan")]}, "`sigmas` must be 6 positive .* Received: nan"),
        ({"point_colors": [[0, 0, 0]]}, "`point_colors` .* must have 6 entries"),
        ({"point_colors": [[0, 0, 256]] * 6}, r"`point_colors` must hold \[red, green, blue\]"),
        ({"colors": [], "skeleton": [[0, 1]]}, "`colors` .* must have 1 entries"),
    ],
)
def test_a_mistake_is_named_with_the_file(read, change, message):
    with pytest.raises(ValueError, match=message) as caught:
        read({"names": NAMES} | change)
    assert "pet.json: " in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [('{"names": [', "not complete JSON"), ("[]", "must be an object"), ("{}", "`names` must be")],
)
def test_another_file_is_refused(read, text, message):
    with pytest.raises(ValueError, match=f"pet.json: .*{message}"):
        read(text)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"gone.json: no such file"):
        read_keypoint_set(tmp_path / "gone.json")


def test_annotations_name_their_keypoints(read):
    """Lines of COCO files count from 1."""
    cat = {"id": 1, "name": "cat", "keypoints": NAMES, "skeleton": [[1, 6], [6, 4]]}
    others = [{"id": 2, "name": "car"}, {**cat, "id": 3, "name": "dog"}]
    keypoints = read({"images": [], "annotations": [], "categories": [cat, *others]})
    assert keypoints.names == tuple(NAMES)
    assert keypoints.skeleton == ((0, 5), (5, 3))
    assert keypoints.flip_pairs == ((1, 2), (3, 4))
    assert (keypoints.name, keypoints.sigmas) == ("pet", None)
    assert keypoints.source == "category 'cat' of pet.json"


def test_annotations_of_a_published_set_give_that_set(read):
    """With its sigmas, and CrowdPose's lines, which its own file has wrong."""
    for known in (COCO, CROWDPOSE):
        category = {"id": 1, "name": "person", "keypoints": list(known.names)}
        assert read({"categories": [category | {"skeleton": [[16, 14]]}]}) == known


@pytest.mark.parametrize(
    ("skeleton", "lines"),
    [
        ([[1, 2], [2, 3]], ((0, 1), (1, 2))),
        ([[0, 1], [1, 2]], ((0, 1), (1, 2))),
        ([["a", "b"]], ((0, 1),)),
        ([[1, 2], [1, 9], [1], None, [1.5, 2]], ((0, 1),)),
        (None, ()),
    ],
)
def test_lines_count_from_1_or_0_and_bad_ones_are_left_out(read, skeleton, lines):
    """They are only drawn, so they stop nothing."""
    category = {"name": "pet", "keypoints": ["a", "b", "c"], "skeleton": skeleton}
    assert read({"categories": [category]}).skeleton == lines


@pytest.mark.parametrize(
    ("categories", "message"),
    [
        ([], "no category names its `keypoints`. Write them to a keypoint file"),
        (None, "no category names its `keypoints`"),
        ([{"id": 1, "name": "face", "keypoints": []}], "no category names its `keypoints`"),
        (
            [{"keypoints": ["a", "b"], "name": "x"}, {"keypoints": ["a"], "name": "y"}],
            "'x' and 'y'",
        ),
        ([{"keypoints": "nose"}], "`names` must be a list"),
    ],
)
def test_categories_that_do_not_tell_are_refused(read, categories, message):
    with pytest.raises(ValueError, match=f"pet.json: .*{message}"):
        read({"categories": categories})


@pytest.mark.data
def test_real_annotations_name_their_keypoints(data_dir):
    folder = data_dir / "mmpose_tests/data"
    assert read_keypoint_set(folder / "coco/test_coco.json") == COCO
    assert read_keypoint_set(folder / "onehand10k/test_onehand10k.json") == HAND21
    aic = read_keypoint_set(folder / "aic/test_aic.json")
    assert aic.names[0] == "Right Shoulder"
    assert aic.flip_pairs == ((0, 3), (1, 4), (2, 5), (6, 9), (7, 10), (8, 11))
    assert aic.skeleton[0] == (2, 1)
    assert aic.colors[0] == RIGHT
    with pytest.raises(ValueError, match="no category names its `keypoints`"):
        read_keypoint_set(folder / "wflw/test_wflw.json")
