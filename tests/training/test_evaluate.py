"""Evaluation: the protocols on planted poses, and really trained weights on real photos."""

import json
from collections import Counter

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from hrnet_tf.cards.codecs import DARK, Face
from hrnet_tf.cards.pose import PoseCard
from hrnet_tf.labels.keypoint_sets import (
    AFLW,
    COCO,
    COCO_AIC,
    COCO_WHOLEBODY,
    COFW,
    CROWDPOSE,
    FACE_300W,
    HAND21,
    MPII,
    WFLW,
)
from hrnet_tf.tasks.pose.predictor import Pose, PosePredictor
from hrnet_tf.training.evaluate import evaluate, judge
from hrnet_tf.training.pose.evaluator import evaluator
from hrnet_tf.training.pose.oks_metrics import COCO_NUMBERS
from hrnet_tf.training.pose.options import PoseScoring
from hrnet_tf.training.pose.readers import READERS

SIZE = (64, 48)


def _center_peaks(crops):
    """A network that sees every joint in the middle of every crop."""
    maps = np.zeros((len(crops), 16, 12, 17), np.float32)
    maps[:, 8, 6] = 0.9
    return maps


@pytest.fixture
def predictor():
    return PosePredictor(_center_peaks, PoseCard(codec=DARK(blur_kernel=3)), input_size=SIZE)


@pytest.fixture
def coco(tmp_path):
    """Two grey images; one labelled person in the first, whose joints lie at its box's centre."""
    for name in ("a.png", "b.png"):
        Image.new("RGB", (120, 100)).save(tmp_path / name)
    points = np.tile([40, 50, 2], 17).tolist()
    person = dict(id=1, image_id=1, category_id=1, bbox=[16, 18, 48, 64], area=3072, iscrowd=0)
    content = {
        "images": [
            dict(id=1, file_name="a.png", height=100, width=120),
            dict(id=2, file_name="b.png", height=100, width=120),
        ],
        "categories": [dict(id=1, name="person", keypoints=list(range(17)), skeleton=[])],
        "annotations": [
            person | dict(keypoints=points, num_keypoints=17),
            person | dict(id=2, keypoints=[0] * 51, num_keypoints=0),
            person | dict(id=3, image_id=2, keypoints=points, num_keypoints=17, iscrowd=1),
        ],
    }
    (tmp_path / "truth.json").write_text(json.dumps(content))
    return tmp_path


def test_annotated_protocol_takes_labelled_persons_as_they_are(predictor, coco):
    found = evaluate(predictor, coco / "truth.json", coco, protocol="annotated")
    assert (found.images, found.counted["persons"], len(found.results)) == (1, 1, 1)
    assert found.results[0]["bbox"] == [16, 18, 48, 64]
    np.testing.assert_allclose(found.results[0]["keypoints"][:2], [40, 50], atol=0.05)
    assert found.results[0]["score"] == pytest.approx(0.9)
    assert found.numbers["AP"] == pytest.approx(1)


def test_original_protocol_clips_boxes(predictor, coco):
    """A box counts to its last pixel: 48 x 64 becomes 47 x 63."""
    found = evaluate(predictor, coco / "truth.json", coco)
    assert found.results[0]["bbox"] == [16, 18, 47, 63]


def test_original_protocol_suppresses_double_detections(predictor, coco):
    boxes = [([16, 18, 48, 64], 0.8), ([16, 18, 48, 64.5], 0.9), ([70, 18, 40, 60], 0.7)]
    found = [dict(image_id=1, category_id=1, bbox=b, score=s) for b, s in boxes]
    (coco / "boxes.json").write_text(json.dumps(found))
    result = evaluate(predictor, coco / "truth.json", coco, detections=str(coco / "boxes.json"))
    assert result.counted["persons"] == 3
    assert [r["score"] for r in result.results] == pytest.approx([0.81, 0.63])


def test_unreadable_images_are_named_and_the_rest_goes_on(predictor, coco):
    content = json.loads((coco / "truth.json").read_text())
    content["annotations"][2]["iscrowd"] = 0
    (coco / "truth.json").write_text(json.dumps(content))
    (coco / "b.png").write_bytes((coco / "a.png").read_bytes()[:60])
    found = evaluate(predictor, coco / "truth.json", coco, protocol="annotated")
    assert found.counted["persons"] == 1
    (problem,) = found.problems
    assert "b.png" in problem
    (coco / "a.png").unlink()
    with pytest.raises(ValueError, match="belong together"):
        evaluate(predictor, coco / "truth.json", coco / "..")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (dict(protocol="best"), "`protocol` must be one of original, annotated"),
        (dict(data_format="voc"), "`data_format` must be one of coco, mpii, landmarks"),
        (dict(protocol="annotated", detections="d.json"), "`detections` go with"),
        (dict(data_format="mpii", detections="d.json"), "`detections` go with"),
    ],
)
def test_wrong_arguments_say_the_way_out(predictor, coco, arguments, sentence):
    with pytest.raises(ValueError, match=sentence):
        evaluate(predictor, coco / "truth.json", coco, **arguments)


def check(card, annotations, images, **scoring):
    """Makes an evaluator."""
    return evaluator(card, PoseScoring(str(annotations), str(images), **scoring))


def test_an_evaluator_refuses_what_evaluate_refuses_without_a_network(coco):
    """Before hours of training; nothing is predicted."""
    files = coco / "truth.json", coco
    check(PoseCard(), *files)
    with pytest.raises(ValueError, match=r"14 keypoints\. Received: 17 keypoints"):
        check(PoseCard(keypoints=CROWDPOSE), *files)
    with pytest.raises(ValueError, match="the 21 keypoints of the network, hand21"):
        check(PoseCard(keypoints=HAND21), *files)
    with pytest.raises(ValueError, match="`annotations` must be"):
        check(PoseCard(keypoints=MPII), *files, data_format="mpii")
    with pytest.raises(FileNotFoundError, match="`images_dir` must be a folder"):
        check(PoseCard(), coco / "truth.json", coco / "nowhere")


def test_numbers_per_keypoint_and_the_main_one(predictor, coco):
    found = evaluate(predictor, coco / "truth.json", coco, protocol="annotated")
    assert found.main == ("AP", True)
    assert list(found.tables["per_keypoint"]) == list(COCO.names)
    assert found.tables["per_keypoint"]["nose"]["good"] == 1


@pytest.fixture
def parsed(monkeypatch):
    """Counts how often each text of annotations is parsed."""
    counts, loads = Counter(), json.loads

    def counted(text, *args, **kwargs):
        counts[text] += '"annotations"' in str(text)
        return loads(text, *args, **kwargs)

    monkeypatch.setattr(json, "loads", counted)
    return counts


@pytest.mark.parametrize("keypoints", [COCO, CROWDPOSE, HAND21], ids=lambda each: each.name)
def test_an_evaluation_parses_its_annotations_once(coco, keypoints, parsed):
    """COCO's own file has 20 MB of people, and people are found, scored and named by it."""
    count = len(keypoints.names)
    points = {"keypoints": np.tile([40, 50, 2], count).tolist(), "num_keypoints": count}
    file = rewrite(coco, lambda each: each | points)
    parsed.clear()
    evaluate_part(keypoints, file, coco)
    assert list(parsed.values()) == [1]


def test_an_evaluator_forgets_the_poses_of_the_network_before(predictor, coco):
    """So one serves a whole run."""
    judge_of_run = check(predictor.card, coco / "truth.json", coco, protocol="annotated")
    nothing = PosePredictor(lambda crops: 0 * _center_peaks(crops), predictor.card, input_size=SIZE)
    first, other, again = (judge(each, judge_of_run) for each in (predictor, nothing, predictor))
    assert first == again and first.numbers["AP"] == pytest.approx(1)
    assert other.numbers["AP"] == 0 and other.counted == {"persons": 1}


def rewrite(folder, change):
    """The same annotations with something about each changed."""
    content = json.loads((folder / "truth.json").read_text())
    content["annotations"] = [change(each) for each in content["annotations"]]
    (folder / "truth.json").write_text(json.dumps(content))
    return folder / "truth.json"


def network(channels):
    """Sees every keypoint in the middle of every crop; less surely, the later it comes."""

    def predict(crops):
        maps = np.zeros((len(crops), 16, 12, channels), np.float32)
        maps[:, 8, 6] = np.linspace(0.9, 0.8, channels)
        return maps

    return predict


def evaluate_part(keypoints, file, folder):
    card = PoseCard(keypoints, DARK(blur_kernel=3))
    predictor = PosePredictor(network(len(keypoints.names)), card, input_size=SIZE)
    return evaluate(predictor, file, folder, protocol="annotated")


@pytest.mark.parametrize("keypoints", [COCO_AIC, COCO_WHOLEBODY], ids=lambda each: each.name)
def test_networks_with_more_keypoints_are_scored_on_those_that_the_file_names(coco, keypoints):
    """19 or 133 channels on COCO's own file: its 17 joints count, and make up the results."""
    content = json.loads((coco / "truth.json").read_text())
    content["categories"][0]["keypoints"] = list(COCO.names)
    (coco / "truth.json").write_text(json.dumps(content))
    found = evaluate_part(keypoints, coco / "truth.json", coco)
    assert list(found.tables["per_keypoint"]) == list(COCO.names)
    assert len(found.results[0]["keypoints"]) == 51
    assert found.numbers["AP"] == pytest.approx(1)
    assert list(found.numbers) == list(COCO_NUMBERS)
    content["categories"][0]["keypoints"] = ["tail", *COCO.names[1:]]
    (coco / "truth.json").write_text(json.dumps(content))
    with pytest.raises(ValueError, match="Received: 17 keypoints"):
        evaluate_part(keypoints, coco / "truth.json", coco)


def test_whole_body_has_numbers_of_its_parts(coco):
    """A hand that is 30 pixels off spoils its own number, not those of body and face."""
    hand = {"righthand_kpts": np.tile([70, 50, 2], 21).tolist(), "righthand_valid": True}
    parts = {"foot": 6, "face": 68, "lefthand": 21}
    more = {f"{part}_kpts": np.tile([40, 50, 2], count).tolist() for part, count in parts.items()}
    more |= {"lefthand_valid": False, "face_valid": True, "foot_valid": True}
    file = rewrite(coco, lambda each: each | more | hand)
    numbers = evaluate_part(COCO_WHOLEBODY, file, coco).numbers
    assert [numbers[name] for name in ("AP body", "AP face", "AR foot")] == pytest.approx([1] * 3)
    assert numbers["AP right hand"] == 0
    assert numbers["AP left hand"] == -1  # nobody has one
    assert 0 < numbers["AP"] < 1
    body = evaluate_part(COCO, file, coco)
    assert body.numbers["AP"] == pytest.approx(1)


def test_category_ids_of_ones_own_do_not_matter(coco):
    """A network has one kind of object; files of one's own may call it 7 and lack `area`."""
    content = json.loads((coco / "truth.json").read_text())
    content["categories"][0]["id"] = 7
    for each in content["annotations"]:
        each.update(category_id=7)
        del each["area"], each["iscrowd"], each["num_keypoints"]
    content["categories"].append(dict(id=1, name="car"))
    content["annotations"].append(dict(id=9, image_id=2, category_id=1, bbox=[1, 2, 3, 4], area=9))
    (coco / "truth.json").write_text(json.dumps(content))
    assert evaluate_part(COCO, coco / "truth.json", coco).numbers["AP"] == pytest.approx(1)


def test_keypoints_without_sigmas_get_distances(coco):
    """The peak of every crop is its middle; the hand lies 6 pixels to the right of it."""

    def hand(each):  # hands that differ a little, since doubles are left out
        return each | {"keypoints": np.tile([46, 50 + 1e-3 * each["id"], 1], 21).tolist()}

    found = evaluate_part(HAND21, rewrite(coco, hand), coco)
    assert found.main == ("PCK@0.2", True)
    assert found.counted["persons"] == 2
    assert found.numbers == pytest.approx({"PCK@0.2": 1, "AUC": 15 / 20, "EPE": 6}, abs=0.01)
    assert found.tables["per_keypoint"]["wrist"]["EPE"] == pytest.approx(6, abs=0.01)
    assert [result["image_id"] for result in found.results] == [1, 1]


def test_face_codec_reports_whole_pixels_in_the_original_protocol(coco):
    """2 crop pixels are 2.5 in the image: the middle (40, 50) is found at 42.5, then at 43."""
    face = {"center": [40, 50], "scale": 0.32}
    face["keypoints"] = np.tile([40, 50, 2], 19).tolist()
    file = rewrite(coco, lambda each: each | face)
    maps = np.zeros((1, 16, 16, 19), np.float32)
    maps[:, 8, 8] = 0.9
    predictor = PosePredictor(
        lambda crops: maps, PoseCard(AFLW, Face()), batch_size=1, input_size=(64, 64)
    )
    for protocol, shift in (("original", 3), ("annotated", 2.5)):
        found = evaluate(predictor, file, coco, protocol=protocol, data_format="landmarks")
        assert found.main == ("NME", False)
        nme = shift * np.sqrt(2) / 64
        assert found.numbers["NME"] == pytest.approx(nme, abs=1e-6)
        assert found.numbers["AUC@0.10"] == pytest.approx(1 - nme / 0.1, abs=1e-5)
        assert found.tables["per_keypoint"]["face_0"]["NME"] == pytest.approx(nme, abs=1e-6)


def test_faces_without_eye_corners_are_named_and_left_out(coco):
    points = np.tile([40, 50, 2], 98).reshape(98, 3)
    points[60, :2] -= 8
    hidden = points * (np.arange(98) != 72)[:, None]

    def face(each):
        keypoints = hidden if each["id"] == 2 else points
        return each | dict(center=[40, 50], scale=0.32, keypoints=keypoints.ravel().tolist())

    card = PoseCard(WFLW, Face())
    predictor = PosePredictor(network(98), card, input_size=SIZE)
    found = evaluate(predictor, rewrite(coco, face), coco, data_format="landmarks")
    (problem,) = found.problems
    assert "annotation 2 is left out: NME needs both of its outer eye corners" in problem
    assert (found.counted["persons"], found.tables["per_keypoint"]["face_72"]["labelled"]) == (1, 1)


class Oracle:
    """A predictor that knows the labelled keypoints of every box, and is off by `shift` pixels."""

    def __init__(self, records, card, shift=(0, 0)):
        self.card, self.input_size, self.flip = card, (256, 256), False
        self._points = {
            tuple(r.box): np.where(
                r.keypoints[:, 2:] > 0, r.keypoints[:, :2] + shift, r.box[:2] + r.box[2:] / 2
            )
            for r in records
        }

    def stream(self, items):
        for key, image, boxes, scores in items:
            assert image.ndim == 3
            points = [self._points[tuple(box)] for box in boxes]
            found = zip(points, boxes, scores, strict=True)
            poses = [Pose(p, np.ones(len(p)), box, score) for p, box, score in found]
            yield key, image, poses


@pytest.mark.data
@pytest.mark.parametrize(
    ("size", "annotated", "original"), [("256x192", 0.662, 0.667), ("128x96", 0.550, 0.532)]
)
def test_trained_weights_find_real_people(data_dir, size, annotated, original):
    """PP-TinyPose on COCO photos equals other implementations, in AP and joint by joint."""
    weights = data_dir / "tinypose" / f"derived_tinypose_{size}.npz"
    predictor = PosePredictor(f"tinypose_{size}", flip=True, weights=weights)
    folder = data_dir / "coco_kp_subset"
    files = folder / "annotations" / "person_keypoints_val2017.json", folder / "val2017"
    found = evaluate(predictor, *files, protocol="annotated")
    assert found.numbers["AP"] == pytest.approx(annotated, abs=0.002)
    assert evaluate(predictor, *files).numbers["AP"] == pytest.approx(original, abs=0.002)

    name = f"ncnnweights_tinypose_{size}_gt_flip_val2017.json"
    reference = json.loads((data_dir / "tinypose" / name).read_text())["results"]
    distances = np.concatenate([_distances(r, found.results) for r in reference])
    assert np.mean(distances <= 0.5) >= 0.99


def _distances(reference, results):
    """Pixels between the sure joints of a reference pose and the nearest pose in its image."""
    wanted = np.reshape(reference["keypoints"], (-1, 3))
    ours = [
        np.reshape(r["keypoints"], (-1, 3))
        for r in results
        if r["image_id"] == reference["image_id"]
    ]
    distances = np.linalg.norm(np.array(ours)[..., :2] - wanted[:, :2], axis=-1)
    nearest = distances[np.median(distances, axis=1).argmin()]
    return nearest[wanted[:, 2] > 0.2]


def oracle(annotations, folder, keypoints, data_format, shift=(0, 0)):
    """Evaluates perfect predictions that are `shift` pixels off, and the records."""
    records = READERS[data_format](annotations, folder, pytest.fail)
    card = PoseCard(keypoints)
    predictor = Oracle(records, card, shift)
    scoring = {"protocol": "annotated", "data_format": data_format}
    found = evaluate(predictor, annotations, folder, **scoring)
    return found, records


def write_mpii_truth(path, records, head):
    """gt_valid.mat of these people: heads of `head` pixels, pixels that count from 1."""
    points = np.array([record.keypoints for record in records])
    side = head / 0.6 / np.sqrt(2)
    content = {
        "pos_gt_src": np.moveaxis(points[..., :2] + 1, 0, -1),
        "jnt_missing": (points[..., 2] == 0).T,
        "headboxes_src": np.stack([np.zeros((2, len(points))), np.full((2, len(points)), side)]),
    }
    savemat(path, content)


@pytest.mark.data
def test_mpii_from_its_files_to_pckh(data_dir, tmp_path):
    """Ground truth in, 100 % out; 12 pixels are within half of a head of 25, not within 0.11."""
    folder = data_dir / "mmpose_tests" / "data" / "mpii"
    file = tmp_path / "valid.json"
    file.write_text((folder / "test_mpii.json").read_text())
    with pytest.raises(ValueError, match=r"gt_valid.mat of MPII, .* neither gt_valid.mat nor mpii"):
        check(PoseCard(keypoints=MPII), file, folder, data_format="mpii")
    own = tmp_path / "own.json"
    own.write_text(file.read_text())
    found, _ = oracle(own, folder, MPII, "mpii")
    assert found.main == ("PCK@0.2", True) and found.numbers["PCK@0.2"] == 1
    assert "without gt_valid.mat of MPII beside it" in found.notes[0]
    records = READERS["mpii"](file, folder)
    write_mpii_truth(tmp_path / "gt_valid.mat", records, head=25)
    found, _ = oracle(file, folder, MPII, "mpii")
    assert found.main == ("Mean", True)
    assert set(found.numbers.values()) == {1.0}
    assert (found.images, found.counted["persons"], found.problems) == (5, 5, ())
    found, _ = oracle(file, folder, MPII, "mpii", shift=(12, 0))
    assert (found.numbers["Mean"], found.numbers["Mean@0.1"]) == (1, 0)
    assert found.tables["per_keypoint"]["left_wrist"]["error"] == pytest.approx(12 / 25)
    assert oracle(file, folder, MPII, "mpii", shift=(13, 0))[0].numbers["Mean"] == 0

    write_mpii_truth(tmp_path / "gt_valid.mat", records[::-1], head=25)
    with pytest.raises(ValueError, match="the same people as `annotations`, in the same order"):
        oracle(file, folder, MPII, "mpii")


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "keypoints", "corners"),
    [("wflw", WFLW, (60, 72)), ("300w", FACE_300W, (36, 45)), ("cofw", COFW, (8, 9))],
)
def test_faces_from_their_files_to_nme(data_dir, name, keypoints, corners):
    """A shift of 3 pixels costs 3 / the distance of the outer eye corners, face by face."""
    folder = data_dir / "mmpose_tests" / "data" / name
    perfect, records = oracle(folder / f"test_{name}.json", folder, keypoints, "landmarks")
    assert perfect.numbers == {"NME": 0, "FR@0.08": 0, "FR@0.10": 0, "AUC@0.10": 1}
    shifted, _ = oracle(folder / f"test_{name}.json", folder, keypoints, "landmarks", (0, 3))
    eyes = [np.linalg.norm(np.subtract(*r.keypoints[list(corners), :2])) for r in records]
    assert shifted.numbers["NME"] == pytest.approx(np.mean(3 / np.array(eyes)))


@pytest.mark.data
@pytest.mark.parametrize("name", ["onehand10k", "freihand"])
def test_hands_from_their_files_to_epe(data_dir, name):
    folder = data_dir / "mmpose_tests" / "data" / name
    found, records = oracle(folder / f"test_{name}.json", folder, HAND21, "coco", (4, 3))
    labelled = sum(record.keypoints[:, 2] > 0 for record in records)
    assert found.numbers == pytest.approx({"PCK@0.2": 1, "AUC": 16 / 20, "EPE": 5})
    assert [row["labelled"] for row in found.tables["per_keypoint"].values()] == labelled.tolist()


@pytest.mark.data
def test_whole_body_from_its_file_to_part_numbers(data_dir):
    folder = data_dir / "mmpose_tests" / "data" / "coco"
    file = folder / "test_coco_wholebody.json"
    found, _ = oracle(file, folder, COCO_WHOLEBODY, "coco")
    parts = {name: number for name, number in found.numbers.items() if "M" not in name}
    assert {"AP face", "AR right hand"} < set(parts)
    assert list(parts.values()) == pytest.approx([1.0] * len(parts))
