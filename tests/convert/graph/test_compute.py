"""What leaves Keras 3 computes the same: its graph, and the TFLite file of that."""

import keras
import numpy as np
import pytest
from keras import layers

from hrnet_tf.convert.formats.emit import tflite
from hrnet_tf.convert.graph.compute import ACTIVATIONS
from hrnet_tf.convert.graph.fold import fold_norms, merge_resizes
from hrnet_tf.convert.graph.layers.activations import ACTIVATIONS as READ
from hrnet_tf.convert.graph.read import read_graph
from hrnet_tf.networks.pose import pose
from hrnet_tf.patches.litert import operations
from hrnet_tf.runtime.converted import open_converted

from tiny_networks import HRNET, NETWORKS, SHAPE, computed, difference, lively


@pytest.mark.parametrize("name", NETWORKS)
def test_a_graph_computes_what_its_original_computes(name):
    model = lively(NETWORKS[name]())
    image = np.random.default_rng(1).normal(size=(1, *SHAPE)).astype("float32")
    graph = merge_resizes(fold_norms(read_graph(model)))
    assert not {"norm", "take"} & {node.kind for node in graph.nodes}
    assert difference(computed(graph, {"image": image}), model(image)) < 1e-5


def test_a_tflite_file_runs_like_the_original(tmp_path):
    """Also: no chains of TILE and RESHAPE, which Keras 3's own export makes of upsampling."""
    model = lively(pose(HRNET, SHAPE))
    graph = merge_resizes(fold_norms(read_graph(model)))
    path = tmp_path / "pose.tflite"
    path.write_bytes(tflite(graph, "float32"))
    network = open_converted(path, threads=1)
    images = np.random.default_rng(1).normal(size=(2, *SHAPE)).astype("float32")
    assert network.inputs == {"image": SHAPE} and network.outputs == {"output": (16, 16, 17)}
    assert difference(network({"image": images}), model(images)) < 1e-5
    names = {each["op_name"] for each in operations(network.interpreter)}
    assert names <= {"PAD", "CONV_2D", "ADD", "RESIZE_NEAREST_NEIGHBOR", "DELEGATE"}


def test_half_precision_is_rebuilt_in_float32():
    keras.config.set_dtype_policy("mixed_float16")
    try:
        half = lively(pose(HRNET, SHAPE))
    finally:
        keras.config.set_dtype_policy("float32")
    whole = pose(HRNET, SHAPE)
    whole.set_weights(half.get_weights())
    image = np.random.default_rng(1).normal(size=(1, *SHAPE)).astype("float32")
    found = computed(fold_norms(read_graph(half)), {"image": image})
    assert difference(found, whole(image)) < 1e-5


def _tower(sizes=(1, 2, 4)):
    """One tower with group normalization for maps of several sizes, as detectors have."""
    image = keras.Input(SHAPE, name="image")
    x = layers.Conv2D(32, 3, 2, "same", activation="relu")(image)
    conv = layers.Conv2D(32, 3, padding="same", use_bias=False, name="tower.conv")
    norm = layers.GroupNormalization(8, epsilon=1e-5, name="tower.gn")
    maps = {}
    for size in sizes:
        y = layers.AveragePooling2D(size)(x) if size > 1 else x
        y = layers.Conv2D(32, 1, name=f"lateral{size}")(y)
        y = layers.ReLU(name=f"tower{size}.relu")(norm(conv(y)))
        maps[f"map{size}"] = layers.Conv2D(4, 1, name=f"last{size}")(y)
    return lively(keras.Model(image, maps))


def test_layers_that_several_maps_share_are_read_once_for_each_map(tmp_path):
    """Keras tells the shape of such a layer's first result alone; files hold its kernel once."""
    model, sizes = _tower(), {}
    images = np.random.default_rng(1).normal(size=(8, *SHAPE)).astype("float32")
    want = model(images)
    graph = fold_norms(read_graph(model))
    for precision, limit in (("float32", 1e-4), ("int8", 0.2)):
        path = tmp_path / f"{precision}.tflite"
        path.write_bytes(tflite(graph, precision, {"image": images}))
        found = open_converted(path, threads=1)({"image": images})
        for name, each in want.items():
            assert np.abs(found[name] - each).max() < limit * np.std(each), (precision, name)
        sizes[precision] = path.stat().st_size
    kernel = 3 * 3 * 32 * 32
    assert sizes["int8"] < kernel + 30_000 and sizes["float32"] < 4 * (kernel + 12_000)


@pytest.mark.parametrize("activation", [None, "relu"])
def test_a_transposed_convolution_whose_tiles_do_not_overlap(tmp_path, activation):
    image = keras.Input((6, 5, 8), name="image")
    layer = layers.Conv2DTranspose(7, 2, 2, activation=activation)
    model = lively(keras.Model(image, layer(image)))
    images = np.random.default_rng(1).normal(size=(8, 6, 5, 8)).astype("float32")
    path, graph = tmp_path / "mask.tflite", fold_norms(read_graph(model))
    for precision, limit in (("float32", 1e-5), ("int8", 0.1)):
        path.write_bytes(tflite(graph, precision, {"image": images}))
        assert difference(open_converted(path)({"image": images}), model(images)) < limit


def _open_size():
    image = keras.Input(SHAPE)
    return keras.Model(image, keras.ops.reshape(image, (-1,)))


def _not_finite():
    model = pose(HRNET, SHAPE)
    model.get_layer("conv1").set_weights([np.full((3, 3, 3, 64), np.nan, "float32")])
    return model


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (lambda: pose(HRNET, (None, None, 3)), "`model` must fix the size"),
        (
            _open_size,
            "reshape.*: a Reshape cannot be converted: its result .* has no axis of images",
        ),
        (_not_finite, "The weights of conv1 are not finite"),
        (lambda: "model.keras", "must be a functional Keras model"),
    ],
)
def test_what_cannot_be_converted_is_said_in_a_sentence(model, message):
    with pytest.raises(ValueError, match=message) as error:
        read_graph(model())
    assert "\n" not in str(error.value)


def test_activations_that_are_read_can_be_computed():
    assert {*READ.values()} == set(ACTIVATIONS)
