"""`DetectionPredictor` on FCOS with made maps: sizes, options, bad input."""

import dataclasses

import keras
import numpy as np
import pytest
from keras import layers

from hrnet_tf.cards.detection import DetectionCard
from hrnet_tf.cards.pose import PoseCard
from hrnet_tf.runtime.network import ArrayFunction
from hrnet_tf.tasks.detection.predictor import DetectionPredictor
from hrnet_tf.tasks.detection.prepare import prepare, scale_factor

from places import FIXTURES

CLASSES = ("person", "dog", "car")
CARD = DetectionCard(
    head="fcos",
    classes=CLASSES,
    category_ids=(1, 2, 3),
    sides=(128, 96),
    mean=(0, 0, 0),
    std=(1,) * 3,
)


def made(objects=(), fill=-9.0):
    """A network that finds the same (class, score, x1, y1, x2, y2), in its own pixels, everywhere.

    Each object lies on the point of stride 8 nearest to its centre, with centerness 1.
    """

    def call(image):
        _, height, width, _ = image.shape
        call.sizes.append((height, width))
        found = {}
        for level in CARD.levels:
            stride = 2**level
            size = 1, -(-height // stride), -(-width // stride)
            found[f"class_logits_P{level}"] = np.full((*size, 3), fill, np.float32)
            found[f"log_distances_P{level}"] = np.zeros((*size, 4), np.float32)
            found[f"centerness_P{level}"] = np.full((*size, 1), 20, np.float32)
        for index, score, *box in objects:
            x, y = (int(sum(box[i::2]) / 16) for i in range(2))
            x, y = min(x, width // 8 - 1), min(y, height // 8 - 1)
            px, py = 8 * x + 4, 8 * y + 4
            sides = px - box[0], py - box[1], box[2] - px, box[3] - py
            found["class_logits_P3"][0, y, x, index] = np.log(score / (1 - score))
            found["log_distances_P3"][0, y, x] = np.log(sides)
        return found

    call.sizes = []
    return call


def image(height=48, width=64):
    return np.zeros((height, width, 3), np.uint8)


@pytest.mark.parametrize("case, sides", [("a", (140, 90)), ("b", (60, 50))])
@pytest.mark.parametrize("kind", ["rcnn", "fcos"])
def test_preparing_equals_mmdetection(case, sides, kind):
    with np.load(FIXTURES / "det_pipeline" / "data.npz") as data:
        image = np.ascontiguousarray(data["image_bgr"][..., ::-1])
        wanted, shape = data[f"{case}_{kind}"], data[f"{case}_{kind}_shape"]
        size, scale = data[f"{case}_img_shape"], data[f"{case}_scale_factor"]
    statistics = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}
    card = DetectionCard(sides=sides, channels="rgb" if kind == "rcnn" else "bgr", **statistics)
    found = prepare(image, card)
    assert found.size == tuple(size) and found.pixels.shape == (*shape[1:], 3)
    np.testing.assert_allclose(found.scale, scale, rtol=1e-6)
    pixels = found.pixels
    if case == "a":  # the fixture's image is mirrored before it is padded
        pixels[: size[0], : size[1]] = pixels[: size[0], : size[1]][:, ::-1].copy()
    np.testing.assert_allclose(pixels.transpose(2, 0, 1)[:, ::3, ::3], wanted, atol=2e-5)


def test_sizes_equal_mmdetection():
    with np.load(FIXTURES / "det_pipeline" / "data.npz") as data:
        sizes, scaled, factors = data["ori_hw"], data["new_hw"], data["factors"]
    for (height, width), wanted, factor in zip(sizes, scaled, factors, strict=True):
        f = scale_factor((height, width), DetectionCard())
        found = int(height * f + 0.5), int(width * f + 0.5)
        assert found == tuple(wanted)
        np.testing.assert_allclose((found[1] / width, found[0] / height), factor)


def test_boxes_are_in_pixels_of_the_image():
    predictor = DetectionPredictor(
        made([(1, 0.6, 20, 10, 60, 50), (0, 0.9, 64, 40, 120, 90)]), CARD
    )
    found = predictor(image(48, 64))  # scaled by 2
    np.testing.assert_allclose(found.boxes, [[32, 20, 28, 25], [10, 5, 20, 20]], atol=1e-4)
    np.testing.assert_allclose(found.scores, [0.9, 0.6], atol=1e-5)
    assert found.classes.tolist() == [0, 1] and found.masks is None
    assert predictor.timings.summary()["network"]["images"] == 1


def test_options_choose():
    network = made(
        [
            (0, 0.9, 10, 10, 40, 40),
            (1, 0.5, 10, 48, 40, 80),
            (1, 0.2, 60, 10, 90, 40),
            (2, 0.3, 60, 48, 110, 90),
            (0, 0.03, 70, 60, 110, 90),
        ]
    )

    def classes(**options):
        return DetectionPredictor(network, CARD, **options)(image()).classes.tolist()

    assert classes() == [0, 1, 2, 1]
    assert classes(most=2) == [0, 1]
    assert classes(score_threshold=0.25) == [0, 1, 2]
    assert classes(score_threshold=0.01) == [0, 1, 2, 1, 0]
    assert classes(classes=["dog"]) == [1, 1]
    assert classes(classes=["car", "dog"], most=2) == [1, 2]


def test_boxes_of_one_class_that_overlap_are_one_object():
    objects = [(0, 0.9, 10, 10, 50, 50), (0, 0.8, 10, 14, 50, 54), (1, 0.7, 10, 22, 50, 62)]
    found = DetectionPredictor(made(objects), CARD)(image())
    assert found.classes.tolist() == [0, 1]
    found = DetectionPredictor(made(objects), CARD, nms=0.95)(image())
    assert found.classes.tolist() == [0, 0, 1]


@pytest.mark.parametrize(
    "size, seen", [((1, 1), (96, 96)), ((10, 4000), (32, 128)), ((4000, 10), (128, 32))]
)
def test_images_of_any_size(size, seen):
    network = made([(0, 0.9, -500, -500, 900, 900)])
    found = DetectionPredictor(network, CARD)(image(*size))
    assert network.sizes == [seen]
    np.testing.assert_allclose(found.boxes[0], [0, 0, size[1], size[0]], rtol=1e-5)
    assert len(found) == 1


def test_an_image_without_objects():
    found = DetectionPredictor(made(), CARD)(image())
    assert len(found) == 0 and found.boxes.shape == (0, 4) and found.masks is None
    boxes_beside_the_image = made([(0, 0.9, 100, 45, 120, 60)])
    assert len(DetectionPredictor(boxes_beside_the_image, CARD)(image(20, 64))) == 0


def test_a_network_of_a_fixed_size_gets_the_image_fitted():
    network = made([(0, 0.9, 8, 8, 56, 24)])
    fixed = ArrayFunction(network, {"image": (64, 64, 3)})
    found = DetectionPredictor(fixed, CARD)(image(40, 80))
    assert network.sizes == [(64, 64)]
    np.testing.assert_allclose(found.boxes, [[10, 10, 60, 20]], atol=1e-4)


def test_streams_keep_order():
    predictor = DetectionPredictor(made([(0, 0.9, 8, 8, 56, 24)]), CARD)
    found = list(predictor.stream((n, image(40 + n, 80)) for n in range(5)))
    assert [key for key, _, _ in found] == [0, 1, 2, 3, 4]
    assert [picture.shape[0] for _, picture, _ in found] == [40, 41, 42, 43, 44]
    assert all(len(each) == 1 for _, _, each in found)


def test_numbers_that_are_not_finite_are_an_error():
    network = made([(0, 0.9, 8, 8, 56, 24)], fill=np.nan)
    with pytest.raises(ValueError, match="'class_logits_P3' that are not finite"):
        DetectionPredictor(network, CARD)(image())


def test_wrong_networks_and_arguments_are_refused():
    other = dataclasses.replace(CARD, classes=("a", "b"), category_ids=(1, 2))
    with pytest.raises(ValueError, match=r"for 2 classes\. Received"):
        DetectionPredictor(made(), other)(image())
    pixels = keras.Input((32, 32, 3))
    model = keras.Model(pixels, layers.Conv2D(17, 1)(pixels), name="pose")
    with pytest.raises(ValueError, match="`card` must say how to feed a network for detection"):
        DetectionPredictor(model)
    with pytest.raises(ValueError, match="must return maps of scores and boxes"):
        DetectionPredictor(model, CARD)
    with pytest.raises(ValueError, match=r"must be a network for detection\. Received"):
        DetectionPredictor(model, PoseCard())
    for bad in (
        {"score_threshold": 2},
        {"nms": -1},
        {"most": 0},
        {"classes": ["cat"]},
        {"classes": "dog"},
        {"classes": []},
    ):
        with pytest.raises(ValueError, match=f"`{next(iter(bad))}`"):
            DetectionPredictor(made(), CARD, **bad)
    with pytest.raises(ValueError, match=r"`image` must be \(height, width, 3\) uint8"):
        DetectionPredictor(made(), CARD)(np.zeros((4, 4)))
