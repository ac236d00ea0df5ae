"""`DetectionPredictor` on detectors with regions: given heads, both geometries, bad input."""

import dataclasses

import keras
import numpy as np
import pytest
from keras import layers

import hrnet_tf
from hrnet_tf.cards.detection import DetectionCard
from hrnet_tf.networks.specs import HRNetSpec
from hrnet_tf.runtime import keras_model
from hrnet_tf.runtime.keras_model import KerasNetwork
from hrnet_tf.runtime.network import ArrayFunction, Divided
from hrnet_tf.tasks.detection import regions
from hrnet_tf.tasks.detection.predictor import DetectionPredictor
from hrnet_tf.tasks.detection.prepare import Prepared

from golden import rule
from places import FIXTURES

CLASSES = ("person", "dog")
CARD = DetectionCard(
    head="mask_rcnn", classes=CLASSES, category_ids=(1, 18), sides=(128, 96), std=(1, 1, 1)
)
TINY = HRNetSpec(8, 1, 8, (1, 1, 1), 1)


class Given:
    """The `Parts` of a detector that returns given arrays; `regions` boxes become proposals."""

    def __init__(self, card, logits, deltas, masks=None, boxes=()):
        self.inputs, self.outputs = card.inputs(), {}
        self._logits, self._deltas, self._masks = logits, deltas, masks
        self._card, self._boxes, self.seen = card, boxes, []

    def image(self, pixels):
        found = {}
        for level in self._card.levels:
            height, width = (-(-side // 2**level) for side in pixels.shape[1:3])
            found[f"objectness_P{level}"] = np.full((height, width, 3), -20, np.float32)
            found[f"anchor_deltas_P{level}"] = np.zeros((height, width, 12), np.float32)
        return found

    def boxes(self, maps, boxes, stage):
        self.seen.append(boxes)
        return self._logits[: len(boxes)], self._deltas[: len(boxes)]

    def masks(self, maps, boxes):
        return [each[: len(boxes)] for each in self._masks]


def test_objects_of_given_heads_equal_mmdetection(monkeypatch):
    with np.load(FIXTURES / "det_predict" / "data.npz") as data:
        data = dict(data)
    name = "det_predict/shared/"
    logits = rule.model_input(f"{name}cls", (120, 81)) * np.float32(1.3)
    logits[np.arange(120), (np.arange(120) // 6 * 7) % 80] += 3
    deltas = rule.model_input(f"{name}reg", (120, 320)) * np.float32(0.5)
    masks = rule.model_input(f"{name}mask", (100, 80, 7, 7)).transpose(0, 2, 3, 1) * np.float32(2)
    masks = masks.repeat(4, axis=1).repeat(4, axis=2)
    sizes = (240, 318), np.float32([1.2519685039370079, 1.263157894736842]), (190, 254)
    image = Prepared(np.zeros((256, 320, 3), np.float32), *sizes)
    rois = data["rois"][:, 1:]
    monkeypatch.setattr(regions, "proposals", lambda *arguments, **options: (rois, None))
    for head in ("mask_rcnn", "faster_rcnn"):
        card = DetectionCard(head=head)
        found = DetectionPredictor(Given(card, logits, deltas, [masks]), card).detect(image)
        corners = np.hstack([found.boxes[:, :2], found.boxes[:, :2] + found.boxes[:, 2:]])
        wanted = data["mask_boxes" if head == "mask_rcnn" else "boxes"]
        np.testing.assert_allclose(corners, wanted, atol=1e-3)
        np.testing.assert_allclose(found.scores, data["scores"], atol=1e-5)
        np.testing.assert_array_equal(found.classes, data["labels"])
        if head == "faster_rcnn":
            assert found.masks is None
            continue
        wanted = np.unpackbits(data["masks"], axis=-1)[..., :254].astype(bool)
        assert all((found.mask(i) == mask).all() for i, mask in enumerate(wanted))
        assert [found.mask(i).sum() for i in range(100)] == data["mask_areas"].tolist()


def given(card, **changes):
    """A predictor of two regions, a person and a dog, that fills its masks."""
    logits = np.float32([[4, 0, 0], [0, 3, 0]])
    count = 1 if card.stages == 3 else 2
    masks = [np.full((2, 28, 28, 2), 9, np.float32)] * max(card.stages, 1)
    arrays = {"logits": logits, "deltas": np.zeros((2, 4 * count), np.float32), "masks": masks}
    return Given(card, **{**arrays, **changes})


@pytest.fixture
def two_regions(monkeypatch):
    boxes = np.float32([[10, 20, 50, 60], [70, 10, 99, 39]])
    monkeypatch.setattr(regions, "proposals", lambda *arguments, **options: (boxes, None))


def test_the_inclusive_geometry_counts_the_last_pixel(two_regions):
    card = dataclasses.replace(CARD, geometry="inclusive")
    image = np.zeros((96, 128, 3), np.uint8)
    found = DetectionPredictor(given(card), card)(image)
    np.testing.assert_allclose(found.boxes, [[10, 20, 41, 41], [70, 10, 30, 30]], atol=1e-4)
    assert [found.mask(i).sum() for i in range(2)] == [41 * 41, 30 * 30]
    found = DetectionPredictor(given(CARD), CARD)(image)
    np.testing.assert_allclose(found.boxes, [[10, 20, 40, 40], [70, 10, 29, 29]], atol=1e-4)


def test_options_of_masks_and_classes(two_regions):
    image = np.zeros((96, 128, 3), np.uint8)
    found = DetectionPredictor(given(CARD), CARD, masks=False)(image)
    assert found.masks is None and found.classes.tolist() == [0, 1]
    found = DetectionPredictor(given(CARD), CARD, classes=["dog"])(image)
    assert found.classes.tolist() == [1] and len(found.masks) == 1
    found = DetectionPredictor(given(CARD), CARD, score_threshold=0.93)(image)
    assert found.classes.tolist() == [0]
    found = DetectionPredictor(given(CARD), CARD, score_threshold=1.0)(image)
    assert len(found) == 0 and found.masks == ()


@pytest.mark.parametrize("stages, filled", [("mean", False), ("last", True)])
def test_masks_of_all_stages_or_the_last(two_regions, stages, filled):
    """The first two heads say 0 with .98, the last one 1 with .99: the mean is .34."""
    card = dataclasses.replace(CARD, head="htc", mask_stages=stages)
    masks = [np.full((2, 28, 28, 2), value, np.float32) for value in (-4, -4, 5)]
    network = given(card, masks=masks)
    found = DetectionPredictor(network, card)(np.zeros((96, 128, 3), np.uint8))
    assert (found.mask(0).sum() > 0) == filled
    assert len(network.seen) == 3


def test_regions_become_those_of_the_next_stage(two_regions):
    card = dataclasses.replace(CARD, head="cascade_rcnn")
    network = given(card, deltas=np.float32([[1, 0, 0, 0], [0, 1, 0, 0]]))
    DetectionPredictor(network, card)(np.zeros((96, 128, 3), np.uint8))
    first, second, third = network.seen
    np.testing.assert_allclose(second - first, [[4, 0, 4, 0], [0, 2.9, 0, 2.9]], atol=1e-5)
    np.testing.assert_allclose(third - second, [[2, 0, 2, 0], [0, 1.45, 0, 1.45]], atol=1e-5)


@pytest.mark.parametrize("name", ["logits", "deltas", "masks"])
def test_numbers_that_are_not_finite_are_an_error(two_regions, name):
    arrays = {"logits": np.full((2, 3), np.nan), "deltas": np.full((2, 8), np.inf)}
    arrays["masks"] = [np.full((2, 28, 28, 2), np.nan)]
    predictor = DetectionPredictor(given(CARD, **{name: arrays[name]}), CARD)
    with pytest.raises(ValueError, match="that are not finite"):
        predictor(np.zeros((96, 128, 3), np.uint8))


def test_no_more_regions_than_the_card_says_are_classified():
    parts = given(CARD)
    for count in (7, 3):
        card = dataclasses.replace(CARD, proposals=count)
        DetectionPredictor(parts, card)(np.zeros((96, 128, 3), np.uint8))
    assert [len(boxes) for boxes in parts.seen] == [7, 3]
    with pytest.raises(ValueError, match=r"`proposals` 1 or more. Received: .*proposals=0"):
        dataclasses.replace(CARD, proposals=0)


def test_an_image_without_regions(monkeypatch):
    none = np.zeros((0, 4), np.float32)
    monkeypatch.setattr(regions, "proposals", lambda *arguments, **options: (none, None))
    found = DetectionPredictor(given(CARD), CARD)(np.zeros((96, 128, 3), np.uint8))
    assert len(found) == 0 and found.masks == ()


@pytest.fixture(scope="module")
def tiny():
    """A Mask R-CNN of dynamic size with random weights, that finds much in everything."""
    keras.utils.set_random_seed(0)
    model = hrnet_tf.detection(TINY, 2, "mask_rcnn")
    for layer in model.layers:
        if isinstance(layer, layers.Dense | layers.Conv2D) and "fc_reg" not in layer.name:
            layer.set_weights([4 * weight for weight in layer.get_weights()])
    return model


@pytest.mark.parametrize("size", [(96, 128), (1, 1), (10, 4000), (300, 50)])
def test_networks_take_images_of_any_size(tiny, size):
    predictor = DetectionPredictor(tiny, CARD)
    image = np.random.default_rng(0).integers(0, 256, (*size, 3)).astype(np.uint8)
    found = predictor(image)
    assert found.masks is not None and (np.diff(found.scores) <= 0).all()
    for index, (x, y, width, height) in enumerate(found.boxes):
        assert x >= 0 and y >= 0 and x + width <= size[1] + 1e-3 and y + height <= size[0] + 1e-3
        assert found.mask(index).shape == size


def test_nothing_is_compiled_again_for_another_size(tiny, monkeypatch):
    tf = pytest.importorskip("tensorflow")
    if keras.backend.backend() != "tensorflow":
        pytest.skip("TensorFlow's traces")
    functions, compiled = [], keras_model.compiled

    def noted(*arguments):
        functions.append(compiled(*arguments))
        return functions[-1]

    monkeypatch.setattr(keras_model, "compiled", noted)
    predictor, rng = DetectionPredictor(tiny, CARD), np.random.default_rng(0)
    for size in ((96, 128), (80, 128), (128, 70)):
        predictor(rng.integers(0, 256, (*size, 3)).astype(np.uint8))
        assert [f.experimental_get_tracing_count() for f in functions] == [1, 1, 1], tf.__version__


def test_parts_find_what_the_model_finds(tiny):
    """As the files of a converted detector, which are networks from arrays to arrays each."""
    parts = {name: KerasNetwork(part) for name, part in regions.divided(tiny, CARD).items()}
    assert [*parts] == ["image", "boxes_1", "masks"]
    image = np.random.default_rng(0).integers(0, 256, (96, 128, 3)).astype(np.uint8)
    wanted = DetectionPredictor(tiny, CARD)(image)
    found = DetectionPredictor(Divided(parts, CARD.inputs(), CARD.outputs()), CARD)(image)
    assert len(wanted) == len(found) > 5
    np.testing.assert_allclose(found.boxes, wanted.boxes, atol=1e-3)
    np.testing.assert_array_equal(found.classes, wanted.classes)


def test_networks_that_cannot_be_run_in_parts_are_refused():
    network = ArrayFunction(lambda image: {}, CARD.inputs())
    with pytest.raises(ValueError, match=r"must be a Keras model of `hrnet_tf\.detection`"):
        DetectionPredictor(network, CARD)
    with pytest.raises(ValueError, match="`model` must take 'image'"):
        DetectionPredictor(ArrayFunction(lambda image: {}), CARD)
