"""Inference by the originals' rules, against their numbers with a tiny network."""

import json

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from hrnet_tf.cards.segmentation import SegmentationCard
from hrnet_tf.labels.classes import CITYSCAPES, COCO_STUFF, LIP, PASCAL_CONTEXT
from hrnet_tf.tasks.segmentation.predictor import SegmentationPredictor
from hrnet_tf.training.evaluate import judge
from hrnet_tf.training.segmentation.evaluator import evaluator
from hrnet_tf.training.segmentation.options import SegmentationScoring

from places import FIXTURES

FOLDER = FIXTURES / "seg_inference"
CASES = json.loads((FOLDER / "meta.json").read_text())["config"]["cases"]
CASES = {case["name"]: case for case in CASES}
MULTI_SCALE = [name for name in CASES if name.startswith(("city_", "base_"))]
TESTVAL = {
    "testval_cityscapes": (CITYSCAPES, "cityscapes", "long"),
    "testval_lip": (LIP, "lip", "both"),
    "testval_pascal_ctx": (PASCAL_CONTEXT, "pascal_context", "short_long"),
    "testval_cocostuff": (COCO_STUFF, "coco_stuff", "short_long"),
}


@pytest.fixture(scope="module")
def data():
    with np.load(FOLDER / "data.npz") as found:
        return dict(found)


class Tiny:
    """Two convolutions of stride 2; with a size, it tells it like a Keras model."""

    def __init__(self, data, prefix="", size=None):
        w = {
            name: data[f"{prefix}net/{name}"].astype(np.float32)
            for name in ("w1", "b1", "w2", "b2")
        }
        self.layers = [(w[f"w{i}"].transpose(2, 3, 1, 0), w[f"b{i}"]) for i in (1, 2)]
        if size:
            self.input_shape = (None, *size, 3)

    def __call__(self, images):
        x = tf.constant(images)
        for number, (kernel, bias) in enumerate(self.layers):
            x = tf.pad(tf.nn.relu(x) if number else x, ((0, 0), (1, 1), (1, 1), (0, 0)))
            x = tf.nn.conv2d(x, kernel, 2, "VALID") + bias
        return x.numpy()


def predictor_of(case, data, card, prefix=""):
    crop = tuple(case["crop_size_hw"])
    city = case["dataset"] == "Cityscapes"
    network = Tiny(data, prefix, None if city else crop)
    windows = {"window": crop, "stride": 1} if city else {}
    return SegmentationPredictor(
        network, card, scales=case["scales"], flip=case["flip"], multiple=1, **windows
    )


def close(found, case, wanted):
    """The tolerance of the fixture's notes."""
    ours = np.moveaxis(found, -1, 0).ravel()[:: case["stride"]]
    error = np.abs(ours - wanted)
    return (error <= 1e-4 * case["std"] + 1e-4 * np.abs(wanted)).all()


@pytest.mark.parametrize("name", MULTI_SCALE)
def test_multi_scale_inference_is_that_of_the_original(data, name):
    case = CASES[name]
    card = SegmentationCard(
        tuple("abcde"),
        ((0, 0, 0),) * 5,
        case["align_corners"],
        resize="long",
        base_size=case["base_size"],
    )
    scores = predictor_of(case, data, card).scores(data[case["image"]])
    assert close(scores, case, data[f"{name}/pred"])
    assert np.mean(scores.argmax(axis=-1) == data[f"{name}/label"]) > 0.999


@pytest.mark.parametrize("name", TESTVAL)
def test_a_test_over_files_is_that_of_the_original(data, name, tmp_path):
    """Resizing to whole grey levels first is OpenCV's there, which differs by one level."""
    case, (classes, labels, resize) = CASES[name], TESTVAL[name]
    card = SegmentationCard(
        classes.names,
        classes.palette,
        case["align_corners"],
        classes.flip_pairs,
        resize,
        case["base_size"],
    )
    end = ("_leftImg8bit.png", "_gtFine_labelIds.png") if labels == "cityscapes" else (".png",) * 2
    for folder, each in (("images", "image"), ("masks", "gt")):
        (tmp_path / folder).mkdir()
        for number in range(len(case["images"])):
            pixels = data[f"{name}/{each}{number}"]
            if labels == "coco_stuff" and each == "gt":
                pixels = np.where(pixels == 12, 0, pixels)  # no class; neither counts
            Image.fromarray(pixels).save(tmp_path / folder / f"{number}{end[each == 'gt']}")
    predictor = predictor_of(case, data, card, f"{name}/")
    rounded = resize != "long"
    for number, facts in enumerate(case["images"]):
        scores = predictor.scores(data[f"{name}/image{number}"])
        same = np.mean(scores.argmax(axis=-1) == data[f"{name}/{number}/label"])
        assert same > (0.99 if rounded else 0.999)
        assert rounded or close(scores, facts, data[f"{name}/{number}/pred"])
    scoring = SegmentationScoring(str(tmp_path / "masks"), str(tmp_path / "images"), labels)
    found = judge(predictor, evaluator(card, scoring))
    wanted = [case[key] for key in ("mean_iou", "pixel_acc", "mean_acc")]
    np.testing.assert_allclose([*found.numbers.values()], wanted, atol=2e-3 if rounded else 1e-9)
