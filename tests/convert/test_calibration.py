"""Calibration sees what prediction and evaluation see, and says what it could not use."""

import json

import numpy as np
import pytest
from PIL import Image

from hrnet_tf.cards.classification import ClassificationCard
from hrnet_tf.cards.pose import PoseCard
from hrnet_tf.cards.segmentation import SegmentationCard
from hrnet_tf.convert.calibration import calibration
from hrnet_tf.tasks.pose.predictor import PosePredictor
from hrnet_tf.training.evaluate import evaluate

SIZE = (64, 48)
CARD = PoseCard()


@pytest.fixture
def photos(tmp_path):
    """Three noisy pictures of two people each, as COCO lays them out."""
    rng = np.random.default_rng(0)
    folder = tmp_path / "val2017"
    folder.mkdir()
    content = {"images": [], "annotations": [], "categories": [{"id": 1, "name": "person"}]}
    for number in range(1, 4):
        name = f"{number:012d}.png"
        Image.fromarray(rng.integers(0, 256, (90, 120, 3), np.uint8)).save(folder / name)
        content["images"].append({"id": number, "file_name": name, "height": 90, "width": 120})
        for x in (10, 60):
            points = np.tile([x + 20, 40, 2], 17).tolist()
            person = {"id": len(content["annotations"]), "image_id": number, "category_id": 1}
            person |= {"bbox": [x, 10, 40, 60], "area": 2400, "iscrowd": 0, "keypoints": points}
            content["annotations"].append(person)
    path = tmp_path / "annotations" / "person_keypoints_val2017.json"
    path.parent.mkdir()
    path.write_text(json.dumps(content))
    return path, folder


def cut(source, images=None, card=CARD, **arguments):
    lines = []
    found = calibration(
        source, images, card, {"image": (*SIZE, 3)}, report=lines.append, **arguments
    )
    return found, lines


def test_crops_are_those_of_evaluation(photos):
    """Pixel for pixel: preprocessing cannot drift, or an int8 file is tuned to other images."""
    seen = []

    def network(crops):
        seen.extend(crops)
        return np.zeros((len(crops), 16, 12, 17), np.float32)

    predictor = PosePredictor(network, PoseCard(), input_size=SIZE)
    evaluate(predictor, *photos, protocol="annotated")
    found, lines = cut(*photos)
    assert not lines and found.examples["image"].dtype == np.float32
    assert sorted(c.tobytes() for c in found.examples["image"]) == sorted(c.tobytes() for c in seen)
    assert len(set(found.ids)) == 6
    assert found.words == f"6 crops of {photos[0]}, seed 0"


def test_a_seed_chooses(photos):
    """Chance decides whom, so a file that lists images in an order is no bias."""
    first, again, other = (cut(*photos, count=3, seed=seed)[0] for seed in (0, 0, 1))
    assert first.ids == again.ids != other.ids
    np.testing.assert_array_equal(first.examples["image"], again.examples["image"])
    everyone, _ = cut(*photos)
    assert set(first.ids) < set(everyone.ids)


def test_pictures_are_found_beside_the_json(photos):
    path, folder = photos
    assert cut(path)[0].ids == cut(path, folder)[0].ids
    (folder / "deeper").mkdir()
    for picture in folder.glob("*.png"):
        picture.rename(folder / "deeper" / picture.name)
    with pytest.raises(ValueError, match="its pictures are in none of"):
        cut(path)


def test_detections_without_names_find_their_pictures(photos):
    path, folder = photos
    boxes = [{"image_id": 2, "category_id": 1, "bbox": [10, 10, 40, 60], "score": 0.9}]
    path.write_text(json.dumps(boxes))
    found, _ = cut(path, folder)
    assert found.ids == ("000000000002.png:0",)


def test_what_cannot_be_used_is_named_and_the_rest_goes_on(photos):
    """Also a box outside its picture: no crop may take the id of another."""
    path, folder = photos
    content = json.loads(path.read_text())
    content["annotations"][0]["bbox"] = [500, 500, 10, 10]
    path.write_text(json.dumps(content))
    good, _ = cut(path, folder)
    (folder / "000000000002.png").write_bytes(b"no picture")
    Image.new("RGB", (120, 90)).save(folder / "000000000003.png")
    found, lines = cut(path, folder)
    assert found.ids == ("000000000001.png:1",)
    assert len(lines) == 4 and all("\n" not in line for line in lines)
    assert "000000000003.png:0: left out: all of it has the same colour." in lines
    same = good.examples["image"][good.ids.index(found.ids[0])]
    np.testing.assert_array_equal(found.examples["image"][0], same)


@pytest.mark.parametrize("card", [SegmentationCard(), ClassificationCard(), None])
def test_whole_pictures_for_other_tasks(photos, card):
    found, _ = cut(photos[1], card=card, count=3)
    assert found.examples["image"].shape == (3, *SIZE, 3)
    assert abs(found.examples["image"].mean()) < 0.5  # normalized
    (every, _), (listed, _) = cut(photos[1], card=card), cut(*photos, card=card)
    assert sorted(listed.ids) == sorted(every.ids)  # each once, though two people are in it


def test_without_photos_people_are_drawn():
    found, lines = cut(None, count=3)
    again, _ = cut(None, count=3)
    assert found.examples["image"].shape == (3, *SIZE, 3) and not lines
    np.testing.assert_array_equal(found.examples["image"], again.examples["image"])
    assert found.words == "3 crops of drawings, seed 0"


def test_nothing_to_use_is_said_in_a_sentence(photos, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="nothing to calibrate on") as error:
        cut(tmp_path / "empty")
    assert "\n" not in str(error.value)
    for name in photos[1].iterdir():
        Image.new("RGB", (120, 90)).save(name)
    with pytest.raises(ValueError, match="nothing to calibrate on"):
        cut(*photos)
    with pytest.raises(FileNotFoundError):
        cut(tmp_path / "missing.json")
    with pytest.raises(ValueError, match="`count` must be positive"):
        cut(None, count=0)
