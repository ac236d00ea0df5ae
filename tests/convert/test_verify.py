"""`verify`: differences, operations, what is wrong with them, and what the delegate takes."""

import dataclasses
import json
import re
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from absl import flags

from hrnet_tf.cards.files import save_model
from hrnet_tf.cards.pose import PoseCard
from hrnet_tf.convert import verify as command
from hrnet_tf.convert.formats import emit
from hrnet_tf.convert.formats.emit import tflite
from hrnet_tf.convert.graph import compute
from hrnet_tf.convert.graph.fold import fold_norms, merge_resizes
from hrnet_tf.convert.graph.nodes import Node
from hrnet_tf.convert.graph.read import read_graph
from hrnet_tf.convert.reports.differences import Difference, differences
from hrnet_tf.convert.reports.latency import delegated
from hrnet_tf.convert.reports.lint import lint
from hrnet_tf.convert.reports.op_list import Operation, Tensor, precision, read_operations
from hrnet_tf.convert.to_tflite import to_tflite
from hrnet_tf.convert.verify import Verification, verify
from hrnet_tf.networks.pose import pose
from hrnet_tf.runtime.converted import open_converted
from hrnet_tf.runtime.keras_model import KerasNetwork
from hrnet_tf.runtime.network import ArrayFunction

from tiny_networks import HRNET, NAIVE, SHAPE, lively

CROPS = np.random.default_rng(1).normal(size=(5, *SHAPE)).astype("float32")
EXAMPLES = {"image": CROPS}


@pytest.fixture(scope="module")
def model():
    return lively(pose(HRNET, SHAPE))


@pytest.fixture(scope="module")
def files(model, tmp_path_factory):
    """A folder with the network as float32.tflite and int8.tflite."""
    folder = tmp_path_factory.mktemp("files")
    graph = merge_resizes(fold_norms(read_graph(model)))
    for name in ("float32", "int8"):
        (folder / f"{name}.tflite").write_bytes(tflite(graph, name, EXAMPLES))
    return folder


def small_file(path, function, shape=(1, 8, 8, 3), **settings):
    """A file of a TensorFlow function of one image."""
    signature = [tf.TensorSpec(shape, tf.float32)]
    module = tf.Module()
    module.call = tf.function(function, input_signature=signature)
    concrete = module.call.get_concrete_function()
    converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete], module)
    for name, value in settings.items():
        setattr(converter.target_spec, name, value)
    path.write_bytes(converter.convert())
    return path


def test_a_float_file_equals_its_source_and_an_int8_file_nearly(model, files):
    exact = verify(files / "float32.tflite", KerasNetwork(model), EXAMPLES)
    assert exact.difference.maximum < 1e-5 and exact.difference.cosine > 1 - 1e-9
    assert exact.difference.crops == 5 and exact.problems == ()
    rounded = verify(files / "int8.tflite", KerasNetwork(model), EXAMPLES, threads=1)
    assert 1e-3 < rounded.difference.mean < rounded.difference.maximum < 1
    assert 0.99 < rounded.difference.cosine < 1 - 1e-6
    assert rounded.problems == () and rounded.latency.threads == 1
    assert rounded.megabytes < exact.megabytes / 2
    assert rounded.latency.p50 <= rounded.latency.p90 and rounded.latency.calls >= 10


def test_a_float_file_that_is_not_its_network_is_not_written(model, tmp_path, monkeypatch):
    """And the sentence names the first layer that the file computes differently."""
    source, path = tmp_path / "mine.keras", tmp_path / "mine.tflite"
    save_model(model, PoseCard(), source)
    monkeypatch.setattr(emit, "direct", lambda *arguments: None)  # TFLite's converter writes it
    monkeypatch.setitem(compute.ACTIVATIONS, "relu", lambda x: 1.01 * tf.nn.relu(x))
    with pytest.raises(ValueError, match=r"first layer that differs is bn1\.relu\. Nothing was"):
        to_tflite(source, path, report=lambda line: None)
    assert not path.exists() and not path.with_suffix(".tflite.json").exists()


def test_integers_that_lose_much_are_warned_of():
    much = Difference(crops=1, maximum=9.0, mean=0.2, cosine=0.9, noise=9.0)
    found = Verification("a.tflite", "int8", 1.0, {}, (), None, None, much)
    assert "lost much" in found.loss and not found.far
    little = dataclasses.replace(much, mean=0.1)
    assert not dataclasses.replace(found, difference=little).loss


@pytest.mark.parametrize("name", ["float32", "float16", "dynamic", "int8", "int16x8"])
def test_the_precision_is_read_off_the_file(tmp_path, name):
    image = keras.Input(SHAPE)
    x = keras.layers.Conv2D(32, 3, activation="relu")(image)
    graph = read_graph(keras.Model(image, keras.layers.Conv2D(16, 3)(x)))
    (tmp_path / "x.tflite").write_bytes(tflite(graph, name, EXAMPLES))
    operations = read_operations(tmp_path / "x.tflite")
    assert precision(operations) == name
    assert sum(each.name == "CONV_2D" for each in operations) == 2
    assert lint(operations) == []


def test_differences_count_in_standard_deviations_of_the_source():
    """All outputs count, and the worst of them is told."""
    source = np.random.default_rng(2).normal(0, 3, (5, 4, 4, 2)).astype("float32")
    shifted = source.copy()
    shifted[4, 0, 0, 0] += 6
    inputs = {"image": SHAPE}
    network = ArrayFunction(lambda x: {"a": x[:, 0], "b": shifted}, inputs)
    wanted = ArrayFunction(lambda x: {"b": source, "a": x[:, 0], "training": x})
    found = differences(network, wanted, EXAMPLES)
    assert found.maximum == pytest.approx(6 / source.std(), rel=1e-5)
    assert found.mean == pytest.approx(6 / source.std() / source.size, rel=1e-5)
    cosine = np.vdot(source, shifted) / np.linalg.norm(source) / np.linalg.norm(shifted)
    assert found.cosine == pytest.approx(cosine, rel=1e-5)


def test_numbers_that_are_not_finite_are_refused(tmp_path):
    path = small_file(tmp_path / "nan.tflite", lambda x: x / (x - x))
    with pytest.raises(ValueError, match="not finite"):
        verify(path, dict, {"image": np.ones((2, 8, 8, 3), "float32")})


@pytest.mark.parametrize(
    ("examples", "message"),
    [
        ({"image": CROPS[:, :32]}, "`examples` must be at least one array image"),
        ({"image": CROPS[:0]}, "`examples` must be at least one array image"),
        ({"boxes": CROPS}, "`examples` must be at least one array image"),
        (EXAMPLES, "Was it made from this network"),
    ],
)
def test_what_does_not_belong_together_is_said_in_a_sentence(files, examples, message):
    with pytest.raises(ValueError, match=message) as error:
        verify(files / "float32.tflite", dict, examples)
    assert "\n" not in str(error.value)


def test_what_xnnpack_takes_is_counted(tmp_path):
    """Of two convolutions around an upsampling it takes the convolutions, in two parts."""
    kernel = np.ones((1, 1, 3, 3), "float32")

    def call(x):
        x = tf.nn.conv2d(x, kernel, 1, "SAME")
        x = tf.raw_ops.ResizeNearestNeighbor(images=x, size=(16, 16))
        return tf.nn.conv2d(x, kernel, 1, "SAME")

    found = delegated(open_converted(small_file(tmp_path / "up.tflite", call), 1))
    assert (found.parts, found.operations) == (2, 2)
    assert found.outside == {"RESIZE_NEAREST_NEIGHBOR": 1}
    alone = lambda x: tf.nn.conv2d(x, kernel, 1, "SAME")  # noqa: E731
    found = delegated(open_converted(small_file(tmp_path / "one.tflite", alone), 1))
    assert (found.parts, found.operations, found.outside) == (1, 1, {})


def operation(name, inputs, outputs, version=1, **fields):
    """Tensors are "name:dtype", constants "=name:dtype"."""

    def tensor(text):
        label, _, dtype = text.lstrip("=").partition(":")
        return Tensor(label, (1, 8, 8, 3), dtype or "int8", text.startswith("="))

    ends = (tuple(map(tensor, each.split())) for each in (inputs, outputs))
    return Operation(name, version, *ends, **fields)


CONV = operation("CONV_2D", "image =k", "a")


@pytest.mark.parametrize(
    ("operations", "message"),
    [
        ([operation("FlexErf", "a", "b", custom=True)], "FlexErf are no operations of the stand"),
        ([operation("TILE", "a", "b"), operation("SHAPE", "b", "c")], r"TILE \(b\), SHAPE \(c\)"),
        ([operation("READ_VARIABLE", "a", "b")], "keep variables"),
        ([operation("RESIZE_BILINEAR", "a", "b", 3)], "version 3"),
        (
            [CONV, operation("DEQUANTIZE", "a", "b:float32"), operation("ADD", "b a", "c")],
            r"DEQUANTIZE \(b\) in the middle",
        ),
        (
            [CONV, operation("QUANTIZE", "a", "b"), operation("ADD", "b a", "c")],
            "only rescale",
        ),
        ([CONV, operation("ADD", "a x:float32", "y:float32")], "x, y are float tensors"),
    ],
)
def test_lint_names_what_is_wrong(operations, message):
    assert re.search(message, " ".join(lint(operations)))


def test_lint_leaves_the_ends_alone():
    """A float image becomes integers and integers a float result, constants of float16 floats."""
    graph = [
        operation("QUANTIZE", "image:float32", "a"),
        operation("CONV_2D", "a =k", "b"),
        operation("RESIZE_BILINEAR", "b", "c", 2),
        operation("DEQUANTIZE", "c", "result:float32"),
    ]
    assert lint(graph) == []
    half = [
        operation("DEQUANTIZE", "=k:float16", "k:float32"),
        operation("CONV_2D", "image:float32 k:float32", "a:float32"),
    ]
    assert lint(half) == []


def test_lint_knows_a_float_head_and_nothing_like_it():
    """The last convolution alone may be float, as in `int8_float_head`."""
    graph = [
        operation("CONV_2D", "image =k", "a"),
        operation("DEQUANTIZE", "a", "b:float32"),
        operation("CONV_2D", "b:float32 =k:float32", "maps:float32"),
    ]
    assert lint(graph) == []
    another = operation("RELU", "maps:float32", "c:float32")
    assert len(lint([*graph, another])) == 2
    assert len(lint([*graph, operation("QUANTIZE", "maps:float32", "c")])) == 2


@pytest.mark.parametrize("precision", ["float32", "int8_float_head"])
def test_lint_takes_what_was_asked_for(model, tmp_path, precision):
    """Keypoints decoded in the file, a float head."""
    graph = merge_resizes(fold_norms(read_graph(model)))
    if precision == "float32":
        settings = {"function": PoseCard().decoder().function}
        points = Node("decode", "keypoints", graph.results, (17, 3), settings)
        graph.nodes.append(points)
        graph.outputs["keypoints"] = points
    (tmp_path / "x.tflite").write_bytes(tflite(graph, precision, EXAMPLES, "float32", "float32"))
    operations = read_operations(tmp_path / "x.tflite")
    asked = {"float32": "PACK", "int8_float_head": "DEQUANTIZE"}[precision]
    assert asked in {each.name for each in operations}
    assert lint(operations) == []


def test_shuffles_and_flex_operations_are_seen_in_real_files(tmp_path):
    select = [tf.lite.OpsSet.TFLITE_BUILTINS, tf.lite.OpsSet.SELECT_TF_OPS]
    path = small_file(tmp_path / "flex.tflite", tf.math.erf, supported_ops=select)
    (found,) = read_operations(path)
    assert (found.name, found.custom) == ("FlexErf", True)
    with pytest.raises(ValueError, match="file that can be run") as error:
        verify(path)
    assert "\n" not in str(error.value)
    open_size = small_file(tmp_path / "open.tflite", lambda x: x + 1, shape=(1, None, 8, 3))
    assert "open size" in lint(read_operations(open_size))[0]
    graph = merge_resizes(fold_norms(read_graph(lively(pose(NAIVE, SHAPE)))))
    (tmp_path / "naive.tflite").write_bytes(tflite(graph, "float32"))
    names = [each.name for each in read_operations(tmp_path / "naive.tflite")]
    assert names.count("TRANSPOSE") == 19


def run(*arguments):
    values = flags.FlagValues()
    command.define_flags(values)
    words = values(["verify", *map(str, arguments)])[1:]
    return command.run(values, words)


def test_the_command_prints_and_writes_the_same(model, files, tmp_path, capsys):
    save_model(model, None, tmp_path / "tiny.keras")
    output = tmp_path / "found.json"
    path = files / "int8.tflite"
    assert run(path, f"--model={tmp_path / 'tiny.keras'}", "--count=2", f"--output={output}") == 0
    said = capsys.readouterr().out
    assert "int8.tflite: int8" in said and "against the source on 2 crops" in said
    found = json.loads(output.read_text())
    assert found["precision"] == "int8" and found["difference"]["crops"] == 2
    assert sum(found["operations"].values()) == len(read_operations(path))
    with pytest.raises(ValueError, match="--overwrite"):
        run(path, f"--output={output}")


def test_unusable_files_are_said_in_a_sentence(files, tmp_path):
    whole = (files / "int8.tflite").read_bytes()
    (tmp_path / "cut.tflite").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "cut.onnx").write_bytes(whole[:1000])
    (tmp_path / "text.tflite").write_text("no network")
    for name in ("cut.tflite", "cut.onnx", "text.tflite", "none.tflite", "model.keras"):
        with pytest.raises((ValueError, OSError)) as error:
            verify(tmp_path / name)
        assert name in str(error.value) and "\n" not in str(error.value)
    with pytest.raises(flags.Error, match="Name one"):
        run()
    done = subprocess.run(
        [sys.executable, command.__file__, tmp_path / "cut.tflite"], capture_output=True, text=True
    )
    assert done.returncode == 1 and done.stderr.startswith("verify: ")
    assert "Traceback" not in done.stderr
