"""Keypoint sets: consistent in themselves, and equal to the annotation files that use them."""

import dataclasses
import json

import numpy as np
import pytest

from hrnet_tf.labels.keypoint_sets import COCO, COCO_WHOLEBODY, KEYPOINT_SETS
from hrnet_tf.labels.keypoints import LEFT, RIGHT, keypoint_set, plain_name

SIZES = {
    **{"coco": 17, "coco_wholebody": 133, "coco_aic": 19, "mpii": 16, "crowdpose": 14, "ap10k": 17},
    **{"hand21": 21, "300w": 68, "aflw": 19, "cofw": 29, "wflw": 98},
}
each_set = pytest.mark.parametrize("keypoints", KEYPOINT_SETS.values(), ids=KEYPOINT_SETS)


def mirrored(name):
    """The name a keypoint has on the other side."""
    swap = {"left": "right", "right": "left"}
    side, _, part = name.partition("_")
    return f"{swap[side]}_{part}" if side in swap else name


def flip(keypoints):
    """Id of each keypoint in a mirrored image."""
    pairs = keypoints.flip_pairs
    return dict(pairs) | {b: a for a, b in pairs}


def test_every_published_set_has_its_number_of_keypoints():
    assert {name: len(each.names) for name, each in KEYPOINT_SETS.items()} == SIZES


@each_set
def test_names_are_unique_and_sides_pair_up(keypoints):
    """A wrong flip pair costs several AP and shows nowhere else."""
    assert len(set(keypoints.names)) == len(keypoints.names)
    partner = flip(keypoints)
    assert all(a < b for a, b in keypoints.flip_pairs)
    for i, name in enumerate(keypoints.names):
        if mirrored(name) != name:
            assert keypoints.names[partner[i]] == mirrored(name)


@each_set
def test_both_sides_share_spread_and_half_of_the_body(keypoints):
    for a, b in keypoints.flip_pairs:
        assert (a in keypoints.upper_body) == (b in keypoints.upper_body)
        if keypoints.name == "coco_wholebody" and 17 <= a < 91:
            continue  # its feet and face were measured side by side
        assert keypoints.sigmas is None or keypoints.sigmas[a] == keypoints.sigmas[b]


@each_set
def test_skeleton_has_no_line_twice_and_mirrors_into_itself(keypoints):
    """Drawing a mirrored pose must give the mirrored drawing, with the sides' colours exchanged."""
    lines = [frozenset(edge) for edge in keypoints.skeleton]
    assert len(set(lines)) == len(lines)
    partner = flip(keypoints)
    colors = dict(zip(lines, keypoints.colors, strict=True))
    other = {LEFT: RIGHT, RIGHT: LEFT}
    for line, color in colors.items():
        reflection = frozenset(partner.get(i, i) for i in line)
        assert reflection in colors
        if not any("finger" in keypoints.names[i] or "thumb" in keypoints.names[i] for i in line):
            assert colors[reflection] == other.get(color, color)


def test_whole_body_begins_with_coco_and_repeats_the_68_point_face():
    assert COCO_WHOLEBODY.names[:17] == COCO.names
    assert COCO_WHOLEBODY.sigmas[:17] == COCO.sigmas
    face = {(a + 23, b + 23) for a, b in KEYPOINT_SETS["300w"].flip_pairs}
    assert face < set(COCO_WHOLEBODY.flip_pairs)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"flip_pairs": ((1, 2), (2, 3))}, "at most once"),
        ({"skeleton": ((1, 17),), "colors": (LEFT,)}, "ids from 0 to 16"),
        ({"colors": (LEFT,)}, "`colors` .* must have 19 entries"),
        ({"sigmas": (0.1,)}, "`sigmas` .* must have 17 entries"),
        ({"upper_body": (-1,)}, "`upper_body` .* ids from 0 to 16"),
    ],
)
def test_a_set_that_contradicts_itself_is_refused(change, message):
    """A user's own set, with ids counted from 1 for example."""
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(COCO, **change)


@pytest.mark.parametrize(
    "name", ["left_eye", "Left eye", "left-eye", "LEFT_EYE", "leftEye", "LEye", "eye_l", "L. eye"]
)
def test_sides_are_found_however_they_are_spelt(name):
    assert plain_name(name) == "left_eye"


def test_other_names_have_no_side():
    """Not every l and r is one."""
    names = ["nose", "rear_tail", "tip_r_end", "face_3", "l", "lower_lip"]
    plain = [plain_name(name) for name in names]
    assert plain == ["nose", "rear_tail", "tip_r_end", "face_3", "left", "lower_lip"]


def test_names_pair_up_as_far_as_both_sides_are_there():
    keypoints = keypoint_set(["front left paw", "tail", "R_ear", "front right paw", "L_eye"])
    assert keypoints.flip_pairs == ((0, 3),)
    assert keypoint_set(["left", "right"], flip_pairs=()).flip_pairs == ()


@pytest.mark.parametrize(
    ("names", "pairs"),
    [
        (["snout", "leftear", "rightear", "tailbase"], ((1, 2),)),
        (["lshoulder", "rshoulder"], ((0, 1),)),
        (["FL_paw", "FR_paw", "HL_paw", "HR_paw"], ((0, 1), (2, 3))),
        (["paw1LH", "paw1RH", "paw2LF", "paw2RF"], ((0, 1), (2, 3))),
        (["lf", "rf", "lr", "rr"], ((0, 1), (2, 3))),
        (["ll", "lr", "rl", "rr"], ()),
        (["left_eye", "right_eye", "eyeballl", "eyeballr"], ((0, 1), (2, 3))),
        (["head", "tail", "trail"], ()),
    ],
)
def test_names_without_separators_pair_up(names, pairs):
    """As DeepLabCut's example and many mouse projects write them; two partners are none."""
    assert keypoint_set(names).flip_pairs == pairs


def test_names_and_lines_give_the_published_colors():
    """However the sides are spelt: a set of one's own looks like COCO's."""
    names = [name.replace("_", " ").title() for name in COCO.names]
    keypoints = keypoint_set(names, skeleton=COCO.skeleton)
    assert keypoints.flip_pairs == COCO.flip_pairs
    assert keypoints.colors == COCO.colors
    assert keypoints.point_colors == COCO.point_colors


def test_lines_between_unknown_keypoints_are_refused():
    with pytest.raises(ValueError, match=r"`skeleton` .* ids from 0 to 1\. Received: 2"):
        keypoint_set(["a", "b"], skeleton=[(0, 2)])


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("coco", "coco_kp_subset/annotations/person_keypoints_val2017.json"),
        ("crowdpose", "mmpose_tests/data/crowdpose/test_crowdpose.json"),
        ("hand21", "mmpose_tests/data/onehand10k/test_onehand10k.json"),
    ],
)
def test_names_and_skeleton_are_those_of_the_annotation_file(data_dir, name, file):
    category = json.loads((data_dir / file).read_text())["categories"][0]
    keypoints = KEYPOINT_SETS[name]
    assert list(keypoints.names) == category["keypoints"]
    if name != "crowdpose":  # its file repeats the skeleton of COCO's 17 points
        assert [[a + 1, b + 1] for a, b in keypoints.skeleton] == category["skeleton"]


@pytest.mark.data
def test_whole_body_has_the_parts_of_its_annotation_file(data_dir):
    file = data_dir / "mmpose_tests/data/coco/test_coco_wholebody.json"
    annotation = json.loads(file.read_text())["annotations"][0]
    parts = ("keypoints", "foot_kpts", "face_kpts", "lefthand_kpts", "righthand_kpts")
    starts, total = [], 0
    for part in parts:
        starts.append(COCO_WHOLEBODY.names[total])
        total += len(annotation[part]) // 3
    assert starts == ["nose", "left_big_toe", "face_0", "left_hand_root", "right_hand_root"]
    assert total == 133


def mirror_misfit(points, partner):
    """Rms distance of a face (K complex numbers) to its best rotated and scaled mirror image."""
    reflected = -points.conj()[[partner.get(i, i) for i in range(len(points))]]
    points, reflected = points - points.mean(), reflected - reflected.mean()
    turn = np.vdot(reflected, points) / np.vdot(reflected, reflected)
    return np.sqrt(np.mean(abs(points - turn * reflected) ** 2))


@pytest.mark.data
@pytest.mark.parametrize("name", ["300w", "aflw", "cofw", "wflw"])
def test_real_faces_look_like_their_mirror_image_with_every_pair_swapped(data_dir, name):
    """Face points have no names to check: leaving any one pair out must make the fit worse."""
    file = data_dir / f"mmpose_tests/data/{name}/test_{name}.json"
    keypoints = KEYPOINT_SETS[name]
    for annotation in json.loads(file.read_text())["annotations"]:
        x, y, _ = np.array(annotation["keypoints"]).reshape(len(keypoints.names), 3).T
        points = x + 1j * y
        best = mirror_misfit(points, flip(keypoints))
        for pair in keypoints.flip_pairs:
            without = {i: j for i, j in flip(keypoints).items() if i not in pair}
            assert mirror_misfit(points, without) > best
