"""Three people of COCO in the forms of exporters: a network and perfect predictions score as ever.

`tests/training/pose/test_wild.py` has more forms, of drawn people.
"""

import copy
import json
import math

import numpy as np
import pytest
from PIL import Image
from wild_people import drop, each_image, each_person, nested, put, triples, unlabelled

import hrnet_tf
from hrnet_tf.cards.pose import PoseCard
from hrnet_tf.tasks.pose.predictor import Pose, PosePredictor
from hrnet_tf.training.evaluate import evaluate
from hrnet_tf.training.pose.oks_metrics import coco_ap

pytestmark = pytest.mark.data
PEOPLE = (488820, 1221298, 491954)
FIELDS = ("id", "image_id", "category_id", "iscrowd", "area", "bbox", "keypoints", "num_keypoints")


@pytest.fixture(scope="module")
def photos(data_dir):
    return data_dir / "coco_kp_subset" / "val2017"


@pytest.fixture(scope="module")
def three(data_dir):
    """An annotation file of three people, each in a photo of another size."""
    path = data_dir / "coco_kp_subset" / "annotations" / "person_keypoints_val2017.json"
    content = json.loads(path.read_text())
    people = {each["id"]: each for each in content["annotations"]}
    people = [{field: people[number][field] for field in FIELDS} for number in PEOPLE]
    images = {each["image_id"] for each in people}
    images = [each for each in content["images"] if each["id"] in images]
    return {"images": images, "annotations": people, "categories": content["categories"]}


@pytest.fixture(scope="module")
def trained(data_dir):
    """PP-TinyPose, with the defaults of a network that has no card."""
    model = hrnet_tf.pose("wider_naive_lite18", input_shape=(256, 192, 3))
    hrnet_tf.load_checkpoint(model, data_dir / "tinypose" / "derived_tinypose_256x192.npz")
    return PosePredictor(model, PoseCard(), flip=False)


class Perfect:
    """Finds the person of each photo, which its size tells."""

    card, input_size, flip = PoseCard(), (256, 192), False

    def __init__(self, content):
        sizes = {each["id"]: (each["height"], each["width"]) for each in content["images"]}
        self._points = {
            sizes[each["image_id"]]: np.reshape(each["keypoints"], (-1, 3))[:, :2].astype(float)
            for each in content["annotations"]
        }

    def stream(self, items):
        for key, image, boxes, _ in items:
            points = self._points[image.shape[:2]]
            yield key, image, [Pose(points, np.ones(17), boxes[0], 1.0)]


@pytest.fixture
def scored(three, photos, tmp_path):
    """Evaluates a predictor on the file after a change."""

    def scored(change, predictor, images=photos):
        content = copy.deepcopy(three)
        change(content)
        path = tmp_path / "ann.json"
        path.write_text(json.dumps(content))
        return evaluate(predictor, path, images)

    return scored


def empty_skeleton(content):
    """CVAT's form of a track outside of a frame."""
    nobody = {"id": 1, "keypoints": [], "bbox": [0, 0, 0, 0], "area": 0, "num_keypoints": 0}
    content["annotations"].insert(0, content["annotations"][0] | nobody)


FORMS = {
    "ids from zero": each_person(lambda person, i: person.update(id=i)),
    "ids the same": put("id", 0),
    "no category": drop("category_id"),
    "backslashes": each_image(
        lambda image, _: image.update(file_name="val2017\\" + image["file_name"])
    ),
    "num_keypoints 0": put("num_keypoints", 0),
    "triples": each_person(triples),
    "nested": each_person(nested),
    "NaN": each_person(unlabelled(math.nan)),
    "numbers of text": each_person(
        lambda person, _: person.update(keypoints=list(map(str, person["keypoints"])))
    ),
}


@pytest.mark.parametrize("change", FORMS.values(), ids=FORMS)
def test_a_form_of_one_meaning_has_the_numbers_of_coco(scored, three, trained, change):
    found = scored(change, trained)
    assert found.numbers["AP"] == pytest.approx(0.7327, abs=0.02)
    assert found.problems == ()
    assert scored(change, Perfect(three)).numbers["AP"] == pytest.approx(1)


def test_one_empty_skeleton_costs_one_line(scored, three, trained):
    found = scored(empty_skeleton, trained)
    assert found.numbers["AP"] == pytest.approx(0.7327, abs=0.02)
    (line,) = found.problems
    assert "annotation 1 is left out: `keypoints` has 0 values, not 51" in line
    assert scored(empty_skeleton, Perfect(three)).numbers["AP"] == pytest.approx(1)


def test_boxes_are_made_where_there_are_none(scored, three):
    found = scored(drop("bbox", "area"), Perfect(three))
    assert found.numbers["AP"] == pytest.approx(1)
    assert "3 annotations have no `bbox`" in " ".join(found.problems)


def test_photos_of_a_phone_have_the_numbers_of_their_upright_pixels(
    scored, photos, three, trained, tmp_path
):
    """JPEGs that lie on their side lose other details than upright ones, here .07 of AP."""
    for image in three["images"]:
        exif, name = Image.Exif(), image["file_name"]
        exif[0x0112] = 6
        with Image.open(photos / name) as photo:
            lying = photo.convert("RGB").rotate(90, expand=True)
        lying.save(tmp_path / name, exif=exif, quality=95)
        upright = hrnet_tf.read_image(tmp_path / name)
        Image.fromarray(upright).save(tmp_path / name.replace("jpg", "png"))

    def as_png(content):
        for image in content["images"]:
            image["file_name"] = image["file_name"].replace("jpg", "png")

    turned = scored(lambda content: None, trained, tmp_path)
    assert turned.problems == () and turned.numbers["AP"] > 0.5
    assert turned.results == scored(as_png, trained, tmp_path).results
    perfect = scored(lambda content: None, Perfect(three), tmp_path)
    assert perfect.numbers["AP"] == pytest.approx(1)


def test_ids_that_are_there_twice_change_nothing(three):
    content = copy.deepcopy(three)
    content["annotations"][1]["id"] = content["annotations"][0]["id"]
    results = [
        {"image_id": each["image_id"], "keypoints": each["keypoints"], "score": 0.9}
        for each in content["annotations"]
    ]
    assert coco_ap(content, results)["AP"] == pytest.approx(1)
