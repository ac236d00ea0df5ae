"""float16 files: half the bytes, kernels rounded once, biases untouched."""

import keras
import numpy as np
import pytest
from keras import layers

from hrnet_tf.convert.formats.emit import tflite
from hrnet_tf.convert.formats.flatbuffer import half_kernels
from hrnet_tf.convert.graph.read import read_graph
from hrnet_tf.convert.reports.op_list import precision, read_operations
from hrnet_tf.runtime.converted import open_converted

IMAGES = np.random.default_rng(0).normal(size=(2, 16, 16, 3)).astype("float32")


def network():
    """Large biases that cancel each other, which 16 bits would spoil."""
    image = keras.Input((16, 16, 3))
    x = layers.Conv2D(64, 3, name="one", bias_initializer=keras.initializers.Constant(1000.1))(
        image
    )
    x = layers.DepthwiseConv2D(3, name="two", use_bias=False)(x)
    x = layers.GlobalAveragePooling2D()(layers.Conv2D(64, 1, name="three")(x))
    return keras.Model(image, layers.Dense(5, name="four")(x))


@pytest.fixture
def file(tmp_path):
    model = network()
    content = tflite(read_graph(model), "float32")
    path = tmp_path / "half.tflite"
    path.write_bytes(half_kernels(content))
    return model, content, path


def test_only_kernels_are_rounded(file):
    """The same network with rounded kernels gives the same numbers."""
    model, content, path = file
    for layer in model.layers:
        if layer.weights:
            kernel, *bias = layer.get_weights()
            layer.set_weights([kernel.astype("float16").astype("float32"), *bias])
    found = open_converted(path, 1)({"image": IMAGES})["output"]
    np.testing.assert_allclose(found, model(IMAGES), rtol=1e-4)
    assert precision(read_operations(path)) == "float16"
    assert path.stat().st_size < 0.65 * len(content)


def test_tensors_lie_where_the_schema_wants_them(file):
    """On multiples of 16 bytes; arm processors and delegates may rely on it."""
    from tensorflow.lite.python import schema_py_generated as schema

    content = file[2].read_bytes()
    model = schema.Model.GetRootAs(content)
    buffers = [model.Buffers(number) for number in range(model.BuffersLength())]
    places = [each._tab.Vector(each._tab.Offset(4)) for each in buffers if each.DataLength()]
    assert len(places) > 4 and not any(place % 16 for place in places)
