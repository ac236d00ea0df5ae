"""`to_onnx`: files that ONNX Runtime computes as Keras does, cards that tell, refusals."""

import importlib.util
import json
import subprocess
import sys

import numpy as np
import onnx
import pytest

from hrnet_tf.cards.files import read_card, save_model
from hrnet_tf.cards.pose import PoseCard
from hrnet_tf.convert import to_onnx as command
from hrnet_tf.convert.formats import onnx_file
from hrnet_tf.convert.formats.onnx_file import onnx_model, tensor_facts
from hrnet_tf.convert.reports.differences import differences
from hrnet_tf.convert.reports.lint import lint
from hrnet_tf.convert.reports.op_list import precision, read_operations
from hrnet_tf.convert.source import open_source
from hrnet_tf.convert.to_onnx import Options, to_onnx
from hrnet_tf.networks.classification import classification
from hrnet_tf.networks.features import feature_pyramid
from hrnet_tf.networks.pose import pose
from hrnet_tf.networks.segmentation import segmentation
from hrnet_tf.runtime.converted import open_converted

from tiny_networks import HRNET, LITE, NAIVE, SHAPE, lively

CROPS = np.random.default_rng(1).normal(size=(3, *SHAPE)).astype("float32")
NETWORKS = {
    "pose": lambda: pose(HRNET, SHAPE),
    "lite": lambda: pose(LITE, SHAPE),
    "naive lite": lambda: pose(NAIVE, SHAPE),
    "ocr": lambda: segmentation(HRNET, 3, SHAPE, head="ocr"),
    "classification": lambda: classification(HRNET, 7, SHAPE),
    "pyramid": lambda: feature_pyramid(HRNET, SHAPE),
}


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """The file of a pose network."""
    path = tmp_path_factory.mktemp("tiny") / "tiny.keras"
    save_model(lively(pose(HRNET, SHAPE)), PoseCard(), path)
    return path


SLOW = [("lite", False), ("naive lite", False), ("ocr", True), ("classification", True)]


@pytest.mark.parametrize(
    ("name", "nchw"),
    [
        ("pose", False),
        ("pose", True),
        ("pyramid", True),
        *[pytest.param(*each, marks=pytest.mark.slow) for each in SLOW],
    ],
)
def test_onnx_runtime_computes_what_keras_computes(tmp_path, name, nchw):
    """Any number of images, all outputs by name, and no operation that copies or repeats."""
    model = lively(NETWORKS[name]())
    save_model(model, None, tmp_path / "x.keras")
    source = open_source(tmp_path / "x.keras")
    content = onnx_model(source.graph, nchw=nchw)
    path = tmp_path / "x.onnx"
    path.write_bytes(content.SerializeToString())
    network = open_converted(path, 1)
    for count in (1, 3):
        assert differences(network, source, {"image": CROPS[:count]}).maximum < 2e-5
    if name == "pyramid":
        assert [each.name for each in content.graph.output] == ["P2", "P3", "P4", "P5", "P6"]
    facts = tensor_facts(content)
    assert facts["input"]["name"] == "image"
    assert facts["input"]["shape"] == ([-1, 3, 64, 64] if nchw else [-1, 64, 64, 3])
    operations = read_operations(path)
    assert precision(operations) == "float32" and lint(operations) == []
    assert not {"Tile", "Expand", "Gather", "Loop"} & {each.name for each in operations}
    if name in ("pose", "naive lite"):  # nothing is turned around between image and maps
        turned = [each for each in operations if each.name == "Transpose"]
        assert len(turned) == (0 if nchw else 2)


def test_a_file_and_its_card(tiny, tmp_path):
    """They tell names, opset, size of a fixed batch, and how exact the file is."""
    said = []
    options = Options(opset=13, batch=2)
    path = to_onnx(tiny, tmp_path / "x.onnx", options=options, report=said.append)
    content = onnx.load(path)
    assert [each.version for each in content.opset_import if not each.domain] == [13]
    assert read_card(path) == PoseCard()
    card = json.loads(path.with_suffix(".json").read_text())
    assert card["input"] == {"name": "image", "shape": [2, *SHAPE], "dtype": "float32"}
    assert card["output"] == {"name": "heatmaps", "shape": [2, 16, 16, 17], "dtype": "float32"}
    found = card["conversion"]["verification"]
    assert found["difference"]["maximum"] < 3e-4 and found["problems"] == []
    assert card["conversion"]["bytes"] == path.stat().st_size
    assert any("standard deviations" in line for line in said)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["x.json", "x.onnx"]


def test_nothing_is_replaced_or_left_behind(tiny, tmp_path, monkeypatch):
    """Not a file that is there, not the source's card, and no half-written file."""
    (tmp_path / "x.onnx").write_text("kept")
    with pytest.raises(ValueError, match="--overwrite"):
        to_onnx(tiny, tmp_path / "x.onnx")
    with pytest.raises(ValueError, match=r"must end in \.onnx"):
        to_onnx(tiny, tmp_path / "x.tflite")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(onnx_file, "tensor_facts", full)
    with pytest.raises(OSError, match="cannot be written"):
        to_onnx(tiny, tmp_path / "y.onnx", options=Options(verify=False), report=lambda _: None)
    assert [each.name for each in tmp_path.iterdir()] == ["x.onnx"]
    assert (tmp_path / "x.onnx").read_text() == "kept"


def test_a_missing_library_is_named(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ModuleNotFoundError, match="pip install tf2onnx"):
        to_onnx(tiny, tmp_path / "x.onnx")


@pytest.mark.parametrize(("field", "value"), [("opset", 12), ("opset", 99), ("batch", 0)])
def test_options_out_of_range_are_refused(field, value):
    with pytest.raises(ValueError, match=f"`{field}` must be"):
        Options(**{field: value})


def test_the_script_answers_in_a_sentence(tmp_path):
    done = subprocess.run(
        [sys.executable, command.__file__, "--model=none.keras"], capture_output=True, text=True
    )
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert done.stderr.splitlines()[-1].startswith("to_onnx: none.keras: no such file")
