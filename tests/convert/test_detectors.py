"""Detectors as converted files: FCOS whole, detectors with regions in parts."""

import json

import numpy as np
import pytest

import hrnet_tf
from hrnet_tf.cards.detection import DetectionCard
from hrnet_tf.cards.files import save_model
from hrnet_tf.convert.options import Options
from hrnet_tf.convert.to_onnx import to_onnx
from hrnet_tf.convert.to_tflite import to_tflite
from hrnet_tf.runtime.converted import open_converted

from tiny_networks import HRNET, NAIVE, lively

SIZE = (64, 96)
CLASSES = {"classes": ("cat", "dog", "owl"), "category_ids": (1, 2, 3), "sides": SIZE[::-1]}
pytestmark = pytest.mark.xdist_group("detectors")


@pytest.fixture(scope="module")
def image():
    return np.random.default_rng(0).integers(0, 255, (50, 96, 3), dtype=np.uint8)


def _saved(folder, head, **fields):
    model = lively(hrnet_tf.detection(HRNET, 3, head, (*SIZE, 3)))
    for layer in model.layers:  # sure of its classes, and boxes that do not vanish
        factor = {"fc_cls": 4.0, "fc_reg": 0.1}.get(layer.name.rsplit(".", 1)[-1])
        if factor:
            layer.set_weights([factor * value for value in layer.get_weights()])
    path = folder / f"{head}.keras"
    save_model(model, DetectionCard(head=head, **CLASSES, **fields), path)
    return path


@pytest.fixture(scope="module")
def fcos(tmp_path_factory):
    return _saved(tmp_path_factory.mktemp("fcos"), "fcos", channels="bgr")


def _check(found, wanted, pixels, share):
    """The same objects, but for a few whose scores are nearly equal."""
    assert abs(len(found) - len(wanted)) <= 0.05 * len(wanted) and len(wanted) >= 3
    near = np.abs(found.boxes[:, None] - wanted.boxes).max(axis=2) <= pixels
    near &= found.classes[:, None] == wanted.classes
    assert near.any(axis=0).mean() >= share


def _verified(path):
    return json.loads(path.with_suffix(".json").read_text())["conversion"]["verification"]


@pytest.mark.parametrize(("precision", "pixels", "share"), [("float32", 0.01, 1), ("int8", 1, 0.8)])
def test_fcos_becomes_a_tflite_file(fcos, image, tmp_path, precision, pixels, share):
    """It takes blue, green, red as the network does, and its group normalization stays in float."""
    path = tmp_path / "fcos.tflite"
    to_tflite(fcos, path, options=Options(precision, count=8))
    want, found = (hrnet_tf.predictor(each)(image) for each in (fcos, path))
    _check(found, want, pixels, share)
    assert len(_verified(path)["delegated"]["outside"]) <= 1  # average pooling of int8
    # 15 outputs share the two towers: the file is not larger than the network.
    bytes_each = {"float32": 4, "int8": 1}[precision]
    assert path.stat().st_size < 1.25 * bytes_each * _parameters(fcos)


def test_the_light_head_becomes_integers_alone(tmp_path):
    """No tensor is float: batch normalization folds, where FCOS's group normalization cannot."""
    model = lively(hrnet_tf.detection(NAIVE, 3, "fcos_lite", (*SIZE, 3)))
    save_model(model, DetectionCard(head="fcos_lite", **CLASSES), tmp_path / "light.keras")
    options = Options("int8_min_max", count=4, verify=False)
    path = to_tflite(tmp_path / "light.keras", options=options, report=lambda line: None)
    tensors = open_converted(path).interpreter.get_tensor_details()
    assert {np.dtype(each["dtype"]).name for each in tensors} == {"int8", "int32"}
    facts = json.loads(path.with_suffix(".json").read_text())
    names = [facts["output"]["name"], *(each["name"] for each in facts["other_outputs"])]
    assert sorted(names) == sorted(DetectionCard(head="fcos_lite").outputs())


def test_fcos_becomes_an_onnx_file(fcos, image, tmp_path):
    path = to_onnx(fcos, tmp_path / "fcos.onnx", report=lambda line: None)
    want, found = (hrnet_tf.predictor(each)(image) for each in (fcos, path))
    _check(found, want, 0.01, 1)


def _parameters(path):
    import keras

    return keras.models.load_model(path).count_params()


@pytest.mark.parametrize(("head", "suffix"), [("mask_rcnn", ".tflite"), ("htc", ".onnx")])
def test_a_detector_with_regions_becomes_a_file_for_each_part(tmp_path, image, head, suffix):
    source = _saved(tmp_path, head)
    path = tmp_path / f"converted{suffix}"
    convert = to_tflite if suffix == ".tflite" else to_onnx
    convert(source, path, report=lambda line: None)
    stages = DetectionCard(head=head).stages
    names = {f"boxes_{stage}" for stage in range(1, stages + 1)} | {"masks"}
    parts = json.loads(path.with_suffix(".json").read_text())["parts"]
    assert parts == {name: f"converted_{name}{suffix}" for name in names}
    for each in (path.name, *parts.values()):
        assert _verified(tmp_path / each)["difference"]["maximum"] < 1e-3
    want, found = (hrnet_tf.predictor(each)(image) for each in (source, path))
    _check(found, want, 0.01, 1)
    assert np.mean([found.mask(0) == want.mask(0)]) > 0.999

    (tmp_path / parts["masks"]).unlink()
    with pytest.raises(OSError, match=f"converted_masks{suffix}"):
        hrnet_tf.predictor(path)
    with pytest.raises(ValueError, match="already"):
        convert(source, path, report=lambda line: None)


@pytest.mark.slow
def test_the_parts_of_a_detector_become_integers(tmp_path, image):
    """Ranges of the heads are measured on regions that the network itself finds."""
    source = _saved(tmp_path, "mask_rcnn")
    path = tmp_path / "int8.tflite"
    lines = []
    to_tflite(source, path, options=Options("int8", count=4), report=lines.append)
    want, found = (hrnet_tf.predictor(each)(image) for each in (source, path))
    assert abs(len(found) - len(want)) <= 0.3 * len(want)
    for name in ("boxes_1", "masks"):
        part = path.with_name(f"int8_{name}.tflite")
        assert _verified(part)["precision"] == "int8"
        assert _verified(part)["difference"]["cosine"] > 0.98
    with pytest.raises(ValueError, match="in the parts image, boxes_1, masks"):
        from hrnet_tf.convert.source import open_source

        open_source(source)
