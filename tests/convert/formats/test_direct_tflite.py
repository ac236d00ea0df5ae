"""Files written from the nodes are those of TensorFlow's converter."""

from collections import Counter

import keras
import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter
from keras import layers
from tensorflow.lite.python import schema_py_generated as schema

from hrnet_tf.convert.formats.direct_tflite import direct
from hrnet_tf.convert.formats.emit import converted, tflite
from hrnet_tf.convert.graph.faster import faster, repeat_pixels
from hrnet_tf.convert.graph.fold import fold_norms, merge_resizes
from hrnet_tf.convert.graph.read import read_graph

from tiny_networks import NETWORKS, lively

CODES = {code: name for name, code in vars(schema.BuiltinOperator).items()}


def plain(model, cpu=True):
    graph = faster(merge_resizes(fold_norms(read_graph(lively(model)))))
    return repeat_pixels(graph) if cpu else graph


def operations(content):
    """How often each operation is there, with its version, options and the result's shape."""
    model = schema.ModelT.InitFromPackedBuf(content)
    (graph,) = model.subgraphs
    found = Counter()
    for each in graph.operators:
        code = model.operatorCodes[each.opcodeIndex]
        options = vars(each.builtinOptions) if each.builtinOptions else {}
        options = {name: x for name, x in options.items() if name != "potScaleInt16"}  # integers'
        shape = tuple(graph.tensors[each.outputs[0]].shape.tolist())
        found[CODES[code.builtinCode], code.version, str(sorted(options.items())), shape] += 1
    return found


def results(content, arrays):
    return Interpreter(model_content=content).get_signature_runner()(**arrays)


def check(graph, batch=1):
    ours, wanted = direct(graph, batch), converted(graph, batch)
    assert operations(ours) == operations(wanted)
    rng = np.random.default_rng(0)
    arrays = {
        name: rng.normal(size=(batch, *node.shape)).astype("float32")
        for name, node in graph.inputs.items()
    }
    found, wanted = results(ours, arrays), results(wanted, arrays)
    assert found.keys() == wanted.keys() == graph.outputs.keys()
    for name, each in wanted.items():
        np.testing.assert_array_equal(found[name], each)


SLOW = ("landmarks", "lite", "naive lite", "align corners", "classification")


@pytest.mark.parametrize(
    ("name", "cpu"),
    [
        ("pose", True),
        ("pose", False),
        ("pyramid", True),
        *[pytest.param(name, True, marks=pytest.mark.slow) for name in SLOW],
    ],
)
def test_networks_have_the_converters_operations_and_results(name, cpu):
    """To the bit, with activations and biases in the same places."""
    check(plain(NETWORKS[name](), cpu))


def test_every_kind_of_node_is_that_of_the_converter():
    """Batches of three, two inputs, two outputs, and kinds that our own networks lack."""
    image, gate = keras.Input((12, 16, 6), name="image"), keras.Input((4,), name="gate")
    x = layers.Conv2D(8, 3, dilation_rate=2, padding="same", name="dilated")(image)
    y = layers.ReLU()(x)
    z = layers.DepthwiseConv2D(3, depth_multiplier=2, padding="same", name="twice")(x)
    z = layers.Conv2D(8, 3, 2, "same", use_bias=False, name="bare")(layers.ReLU(6)(z))
    z = layers.Activation("tanh")(layers.MaxPooling2D(2, 1, "same")(z))
    z = layers.UpSampling2D(2, interpolation="bilinear")(z)
    z = keras.ops.multiply(2.0, layers.Subtract()([z, y]))
    w = layers.Activation("sigmoid")(layers.Dense(8, name="dense")(gate))
    z = layers.Multiply()([z, layers.Reshape((1, 1, 8))(w)])
    z = layers.Softmax(name="softmax")(layers.AveragePooling2D(2)(1 - z))
    mean = layers.Dense(3, activation="relu", name="last")(layers.GlobalAveragePooling2D()(y))
    model = keras.Model({"image": image, "gate": gate}, {"maps": z, "mean": mean})
    graph = plain(model)
    check(graph, 3)


def test_other_nodes_go_through_the_converter():
    image = keras.Input((8, 8, 3))
    x = layers.Cropping2D(1)(layers.Conv2D(4, 3, padding="same")(image))
    graph = plain(keras.Model(image, x))
    assert direct(graph) is None
    found = results(tflite(graph, "float32"), {"image": np.ones((1, 8, 8, 3), np.float32)})
    assert found["output"].shape == (1, 6, 6, 4)


def test_weights_lie_at_multiples_of_16_bytes():
    content = direct(plain(NETWORKS["pose"]()))
    model = schema.Model.GetRootAs(content)
    for i in range(1, model.BuffersLength()):
        data = model.Buffers(i).DataAsNumpy()
        start = data.__array_interface__["data"][0]
        base = np.frombuffer(content, np.uint8).__array_interface__["data"][0]
        assert (start - base) % 16 == 0
