"""Converted files as functions: scales, batches, layouts, and what cannot be run."""

import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from hrnet_tf.convert.formats.emit import tflite
from hrnet_tf.convert.graph.read import read_graph
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
    assert converted.inputs == {"image": (8, 12, 3)}
    assert converted.outputs == {"output": (4, 6, 5)}
    found = converted({"image": IMAGES})
    np.testing.assert_allclose(found["output"], model(IMAGES), atol=1e-5)
    assert converted({"image": IMAGES[:0]})["output"].shape == (0, 4, 6, 5)


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
    (name,) = converted.outputs
    assert name == ("last" if channels_first else "maps")
    assert converted.inputs == {"image": (8, 12, 3)}  # whatever the file calls its only input
    assert converted.outputs == {name: (4, 6, 5)}
    np.testing.assert_allclose(converted({"image": IMAGES})[name], model(IMAGES), atol=1e-5)


ARRAYS = {"image": IMAGES, "boxes": np.linspace(-1, 1, 24, dtype="float32").reshape(3, 2, 4)}


def scaled(image, boxes):
    """Two outputs of two inputs."""
    return {"sums": tf.reduce_sum(boxes, -1), "maps": 2 * image + boxes[:, :1, None, :3]}


def write_scaled(path, batch):
    """The file of `scaled`, by TensorFlow's converter."""
    shapes = {"image": (batch, 8, 12, 3), "boxes": (batch, 2, 4)}
    specs = [tf.TensorSpec(shape, tf.float32, name) for name, shape in shapes.items()]
    module = tf.Module()
    module.call = tf.function(scaled, input_signature=specs)
    concrete = module.call.get_concrete_function()
    converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete], module)
    path.write_bytes(converter.convert())


@pytest.mark.parametrize("batch", [1, 2])
def test_several_inputs_and_outputs_have_names(tmp_path, batch):
    """By the names of the signature, in batches that are filled up together."""
    write_scaled(tmp_path / "a.tflite", batch)
    converted = open_converted(tmp_path / "a.tflite", threads=1)
    assert converted.inputs == {"boxes": (2, 4), "image": (8, 12, 3)}
    assert converted.outputs == {"maps": (8, 12, 3), "sums": (2,)}
    found, wanted = converted(ARRAYS), scaled(**ARRAYS)
    assert found.keys() == wanted.keys()
    for name, value in wanted.items():
        np.testing.assert_allclose(found[name], value, atol=1e-5)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"image": IMAGES}, "must have boxes, image. Received: image"),
        (ARRAYS | {"more": IMAGES}, "must have boxes, image. Received: image, boxes, more"),
        (ARRAYS | {"image": IMAGES[:2]}, "same number of examples"),
    ],
)
def test_wrong_arrays_are_said_in_a_sentence(tmp_path, arrays, message):
    write_scaled(tmp_path / "a.tflite", 1)
    with pytest.raises(ValueError, match=message) as error:
        open_converted(tmp_path / "a.tflite", threads=1)(arrays)
    assert "\n" not in str(error.value)


def test_onnx_files_of_several_inputs_turn_maps_alone(tmp_path):
    """In a file with channels first, arrays of four axes are turned, others are not."""
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    helper, number = onnx.helper, onnx.TensorProto.FLOAT
    shapes = {"image": (2, 3, 8, 12), "gains": (2, 4), "double": (2, 3, 8, 12), "same": (2, 4)}
    ends = [helper.make_tensor_value_info(name, number, each) for name, each in shapes.items()]
    nodes = [helper.make_node("Add", ["image", "image"], ["double"])]
    nodes.append(helper.make_node("Identity", ["gains"], ["same"]))
    graph = helper.make_graph(nodes, "small", ends[:2], ends[2:])
    opset = [helper.make_opsetid("", 17)]
    content = helper.make_model(graph, opset_imports=opset, ir_version=8).SerializeToString()
    (tmp_path / "a.onnx").write_bytes(content)
    converted = open_converted(tmp_path / "a.onnx", threads=1)
    assert converted.inputs == {"image": (8, 12, 3), "gains": (4,)}
    assert converted.outputs == {"double": (8, 12, 3), "same": (4,)}
    gains = np.arange(12, dtype=np.float64).reshape(3, 4)  # any numbers: the file says float32
    found = converted({"image": IMAGES, "gains": gains})
    np.testing.assert_array_equal(found["double"], 2 * IMAGES)
    np.testing.assert_array_equal(found["same"], gains)


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
