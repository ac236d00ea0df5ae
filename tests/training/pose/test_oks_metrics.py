"""OKS, its suppression and COCO's numbers against the original implementations' results."""

import copy
import json

import numpy as np
import pytest

from hrnet_tf.labels.keypoint_sets import CROWDPOSE, MPII
from hrnet_tf.tasks.pose.predictor import rescore
from hrnet_tf.training.pose.oks_metrics import COCO_NUMBERS, coco_ap, oks, oks_nms

from places import FIXTURES


@pytest.fixture(scope="module")
def poses():
    return np.load(FIXTURES / "oks_nms" / "data.npz")


def read(name):
    return json.loads((FIXTURES / "coco_ap" / name).read_text())


def test_oks_of_poses(poses):
    keypoints, areas = poses["keypoints"], poses["area"]
    for i in range(20):
        ours = oks(keypoints[i], areas[i], keypoints[:20], areas[:20])
        np.testing.assert_allclose(ours, poses["oks_matrix_20"][i], rtol=0, atol=1e-12)
    first = keypoints[0], areas[0], keypoints, areas
    np.testing.assert_allclose(oks(*first), poses["oks_of_first"], rtol=0, atol=1e-12)


@pytest.mark.parametrize("threshold", [0.5, 0.7, 0.9])
def test_suppression_keeps_the_same_poses_in_the_same_order(poses, threshold):
    people = poses["keypoints"], poses["area"], poses["score"]
    np.testing.assert_array_equal(oks_nms(*people, threshold), poses[f"keep_{threshold}"])


def test_suppression_with_other_spreads(poses):
    people = poses["keypoints"], poses["area"], poses["score"]
    kept = oks_nms(*people, 0.7, poses["sigmas"])
    np.testing.assert_array_equal(kept, poses["keep_0.7_sigmas"])


def test_suppression_of_nobody_keeps_nobody():
    nobody = np.zeros((0, 17, 3)), np.zeros(0), np.zeros(0)
    assert oks_nms(*nobody).tolist() == []


def test_rescoring_ignores_weak_keypoints():
    """0.2 itself is weak; a pose of weak keypoints has no score."""
    scores = rescore([0.5, 0.9], [[0.8, 0.2, 0.4], [0.2, 0.1, 0.0]])
    np.testing.assert_allclose(scores, [0.3, 0.0], atol=1e-15)


def test_ten_numbers_are_those_of_pycocotools():
    want = read("stats.json")["plain"]
    ours = coco_ap(FIXTURES / "coco_ap" / "gt.json", read("results.json"))
    assert list(ours) == want["names"]
    np.testing.assert_allclose(list(ours.values()), want["stats"], rtol=0, atol=1e-9)


def test_original_evaluation_from_poses_to_numbers():
    """Rescoring, suppression per image and COCO's numbers in the original's order."""
    data = np.load(FIXTURES / "coco_ap" / "data.npz")
    scores = rescore(data["all_boxes"][:, 5], data["preds"][..., 2])
    results = []
    for image in dict.fromkeys(data["image_id"].tolist()):
        (ids,) = np.nonzero(data["image_id"] == image)
        kept = ids[oks_nms(data["preds"][ids], data["all_boxes"][ids, 4], scores[ids], 0.9)]
        results += [
            {
                **{"image_id": image, "category_id": 1, "score": scores[i]},
                "keypoints": data["preds"][i].ravel().tolist(),
            }
            for i in kept
        ]
    written = read("results_oks_nms.json")
    assert [each["image_id"] for each in results] == [each["image_id"] for each in written]
    for ours, theirs in zip(results, written, strict=True):
        assert ours["keypoints"][:3] == theirs["first_keypoint"]
        assert ours["score"] == pytest.approx(theirs["score"], abs=1e-12)
    want = read("stats.json")["rescored_oks_nms"]["stats"]
    ours = list(coco_ap(read("gt.json"), results).values())
    np.testing.assert_allclose(ours, want, rtol=0, atol=1e-9)


def test_a_box_in_the_results_does_not_change_the_numbers(capsys):
    """COCOeval would take sizes from it; nor may its prints reach the user."""
    truth, results = read("gt.json"), read("results.json")
    boxed = [each | {"bbox": [0, 0, 1, 1]} for each in results]
    untouched = copy.deepcopy((truth, boxed))
    assert coco_ap(truth, boxed) == coco_ap(truth, results)
    assert (truth, boxed) == untouched
    assert capsys.readouterr().out == ""


def test_no_results_are_zeros_and_absent_sizes_minus_one():
    truth = read("gt.json")
    assert set(coco_ap(truth, []).values()) == {0.0}
    large = [each for each in truth["annotations"] if each["area"] > 96**2]
    numbers = coco_ap(truth | {"annotations": large}, [])
    assert numbers["AP_M"] == numbers["AR_M"] == -1
    assert numbers["AP"] == numbers["AP_L"] == 0


def test_only_the_chosen_images_count():
    truth, results = read("gt.json"), read("results.json")
    half = [image["id"] for image in truth["images"][::2]]
    part = truth | {
        "images": truth["images"][::2],
        "annotations": [each for each in truth["annotations"] if each["image_id"] in half],
    }
    own = [each for each in results if each["image_id"] in half]
    assert coco_ap(truth, results, image_ids=half) == coco_ap(part, own)


def test_files_that_are_not_keypoint_annotations_are_refused_in_one_sentence(tmp_path):
    truth, results = read("gt.json"), read("results.json")
    with pytest.raises(ValueError, match=r"14 keypoints\. Received: 17 keypoints"):
        coco_ap(truth, results, CROWDPOSE.sigmas)
    with pytest.raises(ValueError, match="defines no OKS"):
        coco_ap(truth, results, MPII.sigmas)
    with pytest.raises(ValueError, match="for image -1 in result 0"):
        coco_ap(truth, [results[0] | {"image_id": -1}])
    file = tmp_path / "annotations.json"
    for text, message in {'{"images": [': "must be JSON", "[]": "must hold the lists"}.items():
        file.write_text(text)
        with pytest.raises(ValueError, match=f"{message} .*annotations.json"):
            coco_ap(file, results)


@pytest.mark.data
def test_numbers_published_with_an_independent_evaluator(data_dir):
    """faster_coco_eval's own expectations; CrowdPose has 14 keypoints and no `area`."""
    folder = data_dir / "coco_eval"
    people = folder / "keypoints_dataset"
    results = json.loads((people / "dt_dataset.json").read_text())
    want = (
        *(0.5048844884488449, 0.7227722772277227, 0.6336633663366337, 0.46633663366336636),
        *(0.7504950495049505, 0.5181818181818182, 0.7272727272727273, 0.6363636363636364),
        *(0.4666666666666666, 0.75),
    )
    assert coco_ap(people / "gt_dataset.json", results) == pytest.approx(
        dict(zip(COCO_NUMBERS, want, strict=True)), abs=1e-9
    )
    crowd = folder / "dataset"
    results = json.loads((crowd / "example_crowdpose_preds.json").read_text())
    numbers = coco_ap(crowd / "example_crowdpose_val.json", results, CROWDPOSE.sigmas)
    assert [numbers[name] for name in ("AP", "AP50", "AP75")] == pytest.approx(
        [0.7877215935879303, 0.9881188118811886, 0.7314356435643564], abs=1e-9
    )
