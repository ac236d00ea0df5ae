"""Converted files as functions: scales, batches, layouts, and what cannot be run."""

import sys

import keras
import numpy as np
import pytest
from keras import layers

from hrnet_tf.convert.formats.emit import tflite
from hrnet_tf.convert.graph.nodes import read_graph
from hrnet_tf.runtime.converted import dequantize, open_converted, quantize

IMAGES = np.random.default_rng(0).normal(size=(3, 8, 12, 3)).astype("float32")


def network():
    image = keras.Input((8, 12, 3))
    return keras.Model(image, layers.Conv2D(5, 3, 2, "same", name="conv")(image))


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16"])
def test_integers_are_the_nearest_ones(dtype):
    """Within the range half a step off at most; beyond it the last one, no wrapping around."""
    limits = np.iinfo(dtype)
    tensor = {"dtype": np.dtype(dtype).type, "quantization": (0.02, limits.min + 100)}
    low, high = (0.02 * (limit - limits.min - 100) for limit in (limits.min, limits.max))
    values = np.linspace(low, high, 977, dtype=np.float32)
    assert np.abs(dequantize(quantize(values, tensor), tensor) - values).max() <= 0.01 + 1e-4
    beyond = quantize(np.float32([low - 9, high + 9]), tensor)
    assert beyond.tolist() == [limits.min, limits.max] and beyond.dtype == dtype


def test_floats_stay_what_they_are():
    tensor = {"dtype": np.float32, "quantization": (0.0, 0)}
    assert quantize(IMAGES, tensor).tolist() == IMAGES.tolist()
    assert dequantize(IMAGES, tensor).tolist() == IMAGES.tolist()


@pytest.mark.parametrize("batch", [1, 2, 3, 4])
def test_any_number_of_images_goes_through_a_fixed_batch(tmp_path, batch):
    model = network()
    path = tmp_path / "a.tflite"
    path.write_bytes(tflite(read_graph(model), "float32", batch=batch))
    converted = open_converted(path, threads=1)
    assert converted.input_shape == (None, 8, 12, 3)
    assert converted.output_shape == (None, 4, 6, 5)
    np.testing.assert_allclose(converted(IMAGES), model(IMAGES), atol=1e-5)


def write_onnx(path, model, batch, channels_first):
    """The same network in ONNX, by its own helpers."""
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    helper, number = onnx.helper, onnx.TensorProto.FLOAT
    kernel, bias = (np.asarray(w) for w in model.get_layer("conv").weights)
    weights = [("kernel", kernel.transpose(3, 2, 0, 1)), ("bias", bias)]
    constants = [onnx.numpy_helper.from_array(value, name) for name, value in weights]
    conv = {"pads": [0, 0, 1, 1], "strides": [2, 2]}  # Keras "same" pads one side
    nodes = [helper.make_node("Conv", ["first", "kernel", "bias"], ["last"], **conv)]
    shapes = [(batch, 3, 8, 12), (batch, 5, 4, 6)]
    if not channels_first:
        nodes.insert(0, helper.make_node("Transpose", ["image"], ["first"], perm=[0, 3, 1, 2]))
        nodes.append(helper.make_node("Transpose", ["last"], ["maps"], perm=[0, 2, 3, 1]))
        shapes = [(batch, 8, 12, 3), (batch, 4, 6, 5)]
    names = ("first", "last") if channels_first else ("image", "maps")
    ends = [
        helper.make_tensor_value_info(*end) for end in zip(names, [number] * 2, shapes, strict=True)
    ]
    graph = helper.make_graph(nodes, "small", ends[:1], ends[1:], constants)
    opset = [helper.make_opsetid("", 17)]
    path.write_bytes(
        helper.make_model(graph, opset_imports=opset, ir_version=8).SerializeToString()
    )


@pytest.mark.parametrize("channels_first", [True, False])
@pytest.mark.parametrize("batch", ["any", 2])
def test_onnx_files_of_both_layouts(tmp_path, batch, channels_first):
    """Channels come last outside, whatever the file has inside."""
    model = network()
    write_onnx(tmp_path / "a.onnx", model, batch, channels_first)
    converted = open_converted(tmp_path / "a.onnx", threads=1)
    assert converted.input_shape == (None, 8, 12, 3)
    assert converted.output_shape == (None, 4, 6, 5)
    np.testing.assert_allclose(converted(IMAGES), model(IMAGES), atol=1e-5)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.tflite", None, "no such file"),
        ("a.tflite", b"no network", "not a TFLite file that can be run"),
        ("a.onnx", b"no network", "not an ONNX file that can be run"),
    ],
)
def test_a_file_that_cannot_be_run_is_said_in_a_sentence(tmp_path, name, content, message):
    if name.endswith(".onnx"):
        pytest.importorskip("onnxruntime")
    if content:
        (tmp_path / name).write_bytes(content)
    with pytest.raises((OSError, ValueError), match=message) as error:
        open_converted(tmp_path / name)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("name", "module", "library"),
    [
        ("a.tflite", "ai_edge_litert.interpreter", "ai-edge-litert"),
        ("a.onnx", "onnxruntime", "onnxruntime"),
    ],
)
def test_a_missing_runtime_names_its_package(tmp_path, monkeypatch, name, module, library):
    monkeypatch.setitem(sys.modules, module, None)
    (tmp_path / name).touch()
    with pytest.raises(ModuleNotFoundError, match=f"`pip install {library}`"):
        open_converted(tmp_path / name)
