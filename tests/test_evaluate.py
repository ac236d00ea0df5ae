"""Evaluation: the protocols on planted poses, and really trained weights on real photos."""

import json

import numpy as np
import pytest
from PIL import Image

from hrnet_tf.card import PoseCard
from hrnet_tf.codecs import DARK
from hrnet_tf.predict import PosePredictor
from hrnet_tf.training.evaluate import evaluate

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
    assert (found.images, found.persons, len(found.results)) == (1, 1, 1)
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
    result = evaluate(predictor, coco / "truth.json", coco, coco / "boxes.json")
    assert result.persons == 3
    assert [r["score"] for r in result.results] == pytest.approx([0.81, 0.63])


def test_unreadable_images_are_named_and_the_rest_goes_on(predictor, coco):
    content = json.loads((coco / "truth.json").read_text())
    content["annotations"][2]["iscrowd"] = 0
    (coco / "truth.json").write_text(json.dumps(content))
    (coco / "b.png").write_bytes((coco / "a.png").read_bytes()[:60])
    found = evaluate(predictor, coco / "truth.json", coco, protocol="annotated")
    assert found.persons == 1
    (problem,) = found.problems
    assert "b.png" in problem
    (coco / "a.png").unlink()
    with pytest.raises(ValueError, match="belong together"):
        evaluate(predictor, coco / "truth.json", coco / "..")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (dict(protocol="best"), "`protocol` must be one of original, annotated"),
        (dict(protocol="annotated", detections="d.json"), "`detections` go with"),
    ],
)
def test_wrong_arguments_say_the_way_out(predictor, coco, arguments, sentence):
    with pytest.raises(ValueError, match=sentence):
        evaluate(predictor, coco / "truth.json", coco, **arguments)


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
