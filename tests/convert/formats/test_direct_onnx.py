"""ONNX files written from the nodes are those of tf2onnx."""

from collections import Counter

import keras
import numpy as np
import onnx
import onnxruntime
import pytest
from keras import layers

from hrnet_tf.convert.formats.direct_onnx import direct
from hrnet_tf.convert.formats.onnx_file import onnx_model, traced
from hrnet_tf.convert.graph.faster import faster
from hrnet_tf.convert.graph.fold import fold_norms, merge_resizes
from hrnet_tf.convert.graph.read import read_graph

from tiny_networks import NETWORKS, lively

RNG = np.random.default_rng(0)


def plain(model):
    return faster(merge_resizes(fold_norms(read_graph(lively(model)))))


def operations(model):
    """How often each operation is there; a product with its bias counts as one."""
    found = Counter(node.op_type for node in model.graph.node)
    found["Gemm"] += found.pop("MatMul", 0)
    found["Flatten"] += found.pop("Squeeze", 0)
    return found


def results(model, arrays):
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    names = [each.name for each in session.get_outputs()]
    return dict(zip(names, session.run(None, arrays), strict=True))


def check(graph, nchw=False, opset=17, same=True, biases=0):
    ours, wanted = direct(graph, opset, None, nchw), traced(graph, opset, None, nchw)
    onnx.checker.check_model(ours, full_check=True)
    if same:
        count = operations(wanted)
        count["Add"] -= biases
        assert operations(ours) == count
    arrays = {
        name: RNG.normal(size=(3, *node.shape)).astype("float32")
        for name, node in graph.inputs.items()
    }
    if nchw:
        arrays = {name: x.transpose(0, 3, 1, 2) if x.ndim == 4 else x for name, x in arrays.items()}
    found, wanted = results(ours, arrays), results(wanted, arrays)
    assert found.keys() == wanted.keys() == graph.outputs.keys()
    for name, each in wanted.items():
        np.testing.assert_allclose(found[name], each, atol=1e-5 * each.std(), rtol=1e-5)


SLOW = ("landmarks", "lite", "naive lite", "align corners", "classification", "pyramid")


@pytest.mark.parametrize(
    ("name", "nchw", "opset"),
    [
        ("pose", False, 17),
        ("pose", True, 13),
        *[pytest.param(name, False, 18, marks=pytest.mark.slow) for name in SLOW],
    ],
)
def test_networks_have_the_operations_and_results_of_tf2onnx(name, nchw, opset):
    biases = 1 if name == "classification" else 0
    check(plain(NETWORKS[name]()), nchw, opset, name not in ("lite", "naive lite"), biases)


@pytest.mark.parametrize("nchw", [False, True])
def test_every_kind_of_node_is_computed_as_by_tf2onnx(nchw):
    """Two inputs, two outputs, and kinds that our own networks lack."""
    image, gate = keras.Input((12, 16, 6), name="image"), keras.Input((4,), name="gate")
    x = layers.Conv2D(8, 3, dilation_rate=2, padding="same", name="dilated")(image)
    y = layers.ReLU()(x)
    z = layers.DepthwiseConv2D(3, depth_multiplier=2, padding="same", name="twice")(x)
    z = layers.Conv2D(8, 3, 2, "same", use_bias=False, name="bare")(z)
    z = layers.Activation("tanh")(layers.MaxPooling2D(2, 1, "same")(z))
    z = layers.ZeroPadding2D(1)(layers.UpSampling2D(2, interpolation="bilinear")(z))
    z = layers.MaxPooling2D(3, 1)(z)
    z = layers.Concatenate()([*reversed(keras.ops.split(z, 2, axis=-1))])
    z = keras.ops.multiply(2.0, layers.Subtract()([z, y]))
    z = layers.Softmax(name="softmax")(layers.AveragePooling2D(2, 1, "same")(1 - z))
    mean = layers.Dense(8, activation="relu", name="last")(layers.GlobalAveragePooling2D()(y))
    mean = mean * layers.Dense(8, activation="sigmoid", name="dense")(gate)
    z = layers.Concatenate()([z, layers.UpSampling2D(2)(layers.AveragePooling2D(2)(z))])
    model = keras.Model({"image": image, "gate": gate}, {"maps": z, "mean": mean, "relu": y})
    graph = plain(model)
    assert direct(graph), {node.kind for node in graph.nodes}
    check(graph, nchw, same=False)


def test_other_nodes_go_through_tf2onnx():
    image = keras.Input((8, 8, 3))
    x = layers.Cropping2D(1)(layers.Conv2D(4, 3, padding="same")(image))
    graph = plain(keras.Model(image, x))
    assert direct(graph) is None
    found = results(onnx_model(graph), {"image": np.ones((1, 8, 8, 3), np.float32)})
    assert found["output"].shape == (1, 6, 6, 4)
