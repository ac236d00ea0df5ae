"""Metrics by distance: the originals' numbers, and arithmetic on known shifts."""

import json

import numpy as np
import pytest
from conftest import FIXTURES
from scipy.io import savemat

from hrnet_tf.labels.keypoint_sets import AFLW, COCO, WFLW
from hrnet_tf.training.pose.diagnosis import diagnosis
from hrnet_tf.training.pose.point_metrics import (
    errors,
    face_sizes,
    head_sizes,
    nme,
    nme_table,
    pck,
    pck_table,
    pckh,
    pckh_table,
    read_mpii_truth,
)


@pytest.fixture(scope="module")
def mpii():
    data = np.load(FIXTURES / "pckh" / "data.npz")
    truth, labelled = np.moveaxis(data["gt"], -1, 0), data["jnt_missing"].T == 0
    return errors(data["preds"][..., :2] + 1, truth, labelled, head_sizes(data["headboxes"]))


def test_pckh_is_that_of_the_original(mpii):
    expected = json.loads((FIXTURES / "pckh" / "meta.json").read_text())["result"]
    numbers = pckh(mpii)
    assert list(numbers) == [*expected, "Mean@0.1 (mmpose)"]
    for name, percent in expected.items():
        assert 100 * numbers[name] == pytest.approx(percent, abs=1e-9)
    assert numbers["Mean@0.1 (mmpose)"] < numbers["Mean@0.1"]  # 0.10 against 0.11


def test_pckh_table_agrees_with_the_numbers(mpii):
    table, numbers = pckh_table(mpii), pckh(mpii)
    assert table["head_top"]["PCKh@0.5"] == numbers["Head"]
    knees = [table[f"{side}_knee"]["PCKh@0.5"] for side in ("left", "right")]
    assert np.mean(knees) == pytest.approx(numbers["Knee"])
    scored = [row for name, row in table.items() if name not in ("pelvis", "thorax")]
    for number, column in {"Mean": "PCKh@0.5", "Mean@0.1 (mmpose)": "PCKh@0.1"}.items():
        hits = sum(row["labelled"] * row[column] for row in scored)
        assert hits / sum(row["labelled"] for row in scored) == pytest.approx(numbers[number])


def test_nme_is_that_of_the_face_tools():
    data = np.load(FIXTURES / "face_decode" / "data.npz")
    truth = data["gt"].astype("float64")
    labelled = np.concatenate([truth, np.ones((3, 98, 1))], axis=-1)
    sizes = face_sizes(labelled, np.zeros((3, 4)), WFLW)
    off = errors(data["preds"], truth, np.ones((3, 98), bool), sizes)
    np.testing.assert_allclose(off.mean(axis=1), data["nme"], rtol=0, atol=1e-8)  # float32 there
    numbers = nme(off)
    assert numbers["NME"] == pytest.approx(data["nme"].mean(), abs=1e-8)
    assert (numbers["FR@0.08"], numbers["FR@0.10"]) == (0, 0)
    per_landmark = nme_table(off, WFLW.names)
    assert np.mean([row["NME"] for row in per_landmark.values()]) == pytest.approx(numbers["NME"])


def test_faces_that_fail_and_the_area_below_the_curve():
    """The curve of exact errors is a staircase; its area to 0.10 is known."""
    off = np.array([[0.02], [0.05], [0.08], [0.09], [0.30]])
    numbers = nme(off)
    assert numbers["NME"] == pytest.approx(0.108)
    assert numbers["FR@0.08"] == pytest.approx(2 / 5)  # 0.08 itself is no failure
    assert numbers["FR@0.10"] == pytest.approx(1 / 5)
    grid = np.linspace(0, 0.10, 200_001)
    curve = (off[:, 0] <= grid[:, None]).mean(axis=1)
    assert numbers["AUC@0.10"] == pytest.approx(np.trapezoid(curve, grid) / 0.10, abs=1e-5)


def test_aflw_is_measured_in_boxes_and_the_others_in_eyes():
    """AFLW's profiles hide an eye; elsewhere a face without one has no size."""
    truth = np.random.default_rng(0).uniform(1, 100, (2, 98, 3))
    boxes = np.array([[5, 6, 50, 50], [1, 2, 80, 80]])
    np.testing.assert_array_equal(face_sizes(truth[:, :19], boxes, AFLW), [50, 80])
    truth[1, 72, 2] = 0
    eyes = np.linalg.norm(truth[0, 60, :2] - truth[0, 72, :2])
    np.testing.assert_allclose(face_sizes(truth, boxes, WFLW), [eyes, 0])


@pytest.mark.parametrize("shift", [0, 3, 4, 7.4, 40])
def test_a_known_shift_gives_known_pck_auc_and_epe(shift):
    """Boxes of 15 and 35 pixels: 0.2 of them are 3 and 7, and a threshold itself is not within."""
    truth = np.random.default_rng(1).integers(0, 200, (2, 21, 2))
    off = errors(np.add(truth, [0, shift]), truth, np.ones((2, 21), bool))
    numbers = pck(off, [15, 35])
    assert numbers["EPE"] == pytest.approx(shift)
    assert numbers["PCK@0.2"] == np.mean([shift < 3, shift < 7])
    assert numbers["AUC"] == pytest.approx(np.mean([shift < 1.5 * i for i in range(20)]))
    row = pck_table(off, [15, 35], WFLW.names[:21])["face_3"]
    assert row == pytest.approx({"labelled": 2, "PCK@0.2": numbers["PCK@0.2"], "EPE": shift})


def test_pck_is_the_mean_over_keypoints_and_epe_over_points():
    """As mmpose: a keypoint that is rarely labelled weighs as much as another in PCK."""
    truth = np.zeros((4, 2, 2))
    found = np.add(truth, [[0, 0], [50, 0]])
    labelled = np.array([[1, 1], [1, 0], [1, 0], [1, 0]])
    numbers = pck(errors(found, truth, labelled), np.full(4, 100))
    assert numbers["PCK@0.2"] == 0.5
    assert numbers["EPE"] == pytest.approx(10)
    numbers = pck(errors(found, truth, labelled * [1, 0]), np.full(4, 100))
    assert numbers["PCK@0.2"] == 1  # a keypoint without labels does not count


def test_what_was_not_predicted_is_missed_in_shares_and_left_out_of_means():
    truth = np.zeros((2, 16, 2))
    found = np.stack([truth[0] + [3, 4], np.full((16, 2), np.nan)])
    labelled = np.ones((2, 16), bool)
    off = errors(found, truth, labelled, [10, 10])
    assert pckh(off)["Mean"] == 0.5
    assert pckh_table(off)["pelvis"] == {
        **{"labelled": 2, "PCKh@0.5": 0.5, "PCKh@0.1": 0.0, "error": 0.5},
    }
    assert pck(errors(found, truth, labelled), [100, 100]) == pytest.approx(
        {"PCK@0.2": 0.5, "AUC": 0.5 * 16 / 20, "EPE": 5}
    )
    faces = nme(off / 10)
    assert (faces["NME"], faces["FR@0.10"]) == (pytest.approx(0.05), 0.5)


def test_numbers_of_nothing_are_minus_one():
    nothing = np.full((3, 16), np.nan)
    assert set(pckh(nothing).values()) == {-1}
    assert set(nme(nothing).values()) == {-1}
    assert pck(nothing, np.ones(3)) == {"PCK@0.2": -1, "AUC": -1, "EPE": -1}
    assert pckh_table(nothing)["pelvis"] == {"labelled": 0}


def test_ground_truth_of_mpii_is_read_from_matlab(tmp_path, mpii):
    """The same numbers through the file as from the arrays of the fixture."""
    data = np.load(FIXTURES / "pckh" / "data.npz")
    content = {
        "pos_gt_src": data["gt"],
        "jnt_missing": data["jnt_missing"],
        "headboxes_src": data["headboxes"],
    }
    savemat(tmp_path / "gt.mat", content)
    truth = read_mpii_truth(tmp_path / "gt.mat")
    np.testing.assert_array_equal(errors(data["preds"][..., :2] + 1, **truth), mpii)
    savemat(tmp_path / "half.mat", content | {"headboxes_src": data["headboxes"][..., :3]})
    savemat(tmp_path / "other.mat", {"x": 1})
    (tmp_path / "text.mat").write_text("{}")
    for name in ("half.mat", "other.mat", "text.mat"):
        with pytest.raises(ValueError, match=rf"must be gt_valid.mat .* Received: .*{name}"):
            read_mpii_truth(tmp_path / name)
    with pytest.raises(FileNotFoundError, match="must be a file"):
        read_mpii_truth(tmp_path / "none.mat")


def person(points, visible=2, **more):
    keypoints = np.column_stack([points, np.broadcast_to(visible, 17)])
    return {"image_id": 1, "area": 10_000, "keypoints": keypoints.ravel().tolist()} | more


@pytest.fixture
def points():
    """17 joints far from each other."""
    return np.stack([np.arange(17) * 90.0, np.arange(17) % 3 * 70.0], axis=-1)


def test_diagnosis_names_what_becomes_of_a_keypoint(points):
    """Left and right wrists exchanged, an ankle lost, a knee half off, an elbow not labelled."""
    at = {name: i for i, name in enumerate(COCO.names)}
    found = points.copy()
    wrists = [at["left_wrist"], at["right_wrist"]]
    found[wrists] = found[wrists[::-1]]
    found[at["left_ankle"]] += 500
    knee = at["left_knee"]  # a similarity of exp(-0.5) at 2 sigma sqrt(area)
    found[knee, 0] += 2 * COCO.sigmas[knee] * 100
    visible = np.full(17, 2)
    visible[at["left_elbow"]] = 0
    visible[at["nose"]] = 1  # hidden, but labelled
    far = person(points + 5000, 2)
    table = diagnosis(
        [person(points, visible), person(points, 2, iscrowd=1), person(points, 0)],
        [far, person(found, 0.9)],
        COCO,
    )
    kinds = ("good", "jitter", "inverted", "missed")
    named = {
        name: next(kind for kind in kinds if row[kind] == 1)
        for name, row in table.items()
        if row["labelled"]
    }
    assert named.pop("left_wrist") == named.pop("right_wrist") == "inverted"
    assert named.pop("left_ankle") == "missed"
    assert named.pop("left_knee") == "jitter"
    assert set(named.values()) == {"good"}
    assert table["left_knee"]["OKS"] == pytest.approx(np.exp(-0.5))
    assert table["left_elbow"] == {"labelled": 0}


def test_diagnosis_of_people_who_were_not_found(points):
    """Somebody else's image does not help; shares add up to 1."""
    people = [person(points), person(points + 3, image_id=2)]
    table = diagnosis(people, [person(points)], COCO)
    for row in table.values():
        assert row == {
            **{"labelled": 2, "OKS": 0.5, "good": 0.5, "jitter": 0, "inverted": 0, "missed": 0.5}
        }
