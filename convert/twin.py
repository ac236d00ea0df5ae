"""The same network in tf_keras: the bridge to TFLite, quantization-aware training and ONNX.

TensorFlow's converters were written for tf_keras. From a Keras 3 model they make a chain of TILE
and RESHAPE of every nearest upsampling, and quantization-aware training refuses it.
"""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from hrnet_tf.convert.graph import Graph


def twin(graph: Graph, batch: int | None = 1, mark: Callable = lambda node, x: x):
    """The graph as a functional `tf_keras.Model`; layers with weights keep their names.

    Args:
        graph: of `read_graph`.
        batch: images per call; None for any number.
        mark: `(node, tensor) -> tensor`, called with each result: to note or to quantize it.
    """
    import tf_keras

    results = {}
    for node in graph.nodes:
        if node.kind == "image":
            x = tf_keras.Input(node.shape, batch_size=batch, name=node.name)
        else:
            x = BUILD[node.kind](node, *(results[source] for source in node.inputs))
        results[node] = mark(node, x)
    outputs = graph.outputs
    if isinstance(outputs, dict):
        outputs = {name: results[node] for name, node in outputs.items()}
    else:
        outputs = results[outputs]
    model = tf_keras.Model(results[graph.nodes[0]], outputs, name=graph.name)
    for node in graph.nodes:
        if node.weights and node.kind != "norm":
            model.get_layer(node.name).set_weights([*node.weights.values()])
    return model


def _conv(node, x):
    import tf_keras

    settings, kernel = node.settings, node.weights["kernel"]
    return tf_keras.layers.Conv2D(
        kernel.shape[-1],
        kernel.shape[:2],
        settings["strides"],
        settings["padding"],
        dilation_rate=settings["dilation"],
        groups=settings["groups"],
        use_bias="bias" in node.weights,
        name=node.name,
    )(x)


def _depthwise(node, x):
    import tf_keras

    return tf_keras.layers.DepthwiseConv2D(
        node.weights["kernel"].shape[:2],
        node.settings["strides"],
        node.settings["padding"],
        use_bias="bias" in node.weights,
        name=node.name,
    )(x)


def _dense(node, x):
    import tf_keras

    kernel, bias = node.weights["kernel"], "bias" in node.weights
    return tf_keras.layers.Dense(kernel.shape[-1], use_bias=bias, name=node.name)(x)


def _nearest(node, x):
    # TensorFlow 2's resize has half-pixel centres, for whole factors the same; with them TFLite's
    # RESIZE_NEAREST_NEIGHBOR is of version 3, which Edge TPU and older delegates refuse.
    return tf.compat.v1.image.resize_nearest_neighbor(x, node.shape[:2])


def _slice(node, x):
    axis, start = node.settings["axis"], node.settings["start"]
    begin = [start if i == axis else 0 for i in range(len(node.shape) + 1)]
    return tf.slice(x, begin, [-1, *node.shape])


def _softmax(node, x):
    axis = node.settings["axis"]
    if isinstance(axis, int):
        return tf.nn.softmax(x, axis)
    # Over all pixels (OCR): as rows, for TFLite's SOFTMAX works on the last axis.
    height, width, channels = node.shape
    x = tf.transpose(tf.reshape(x, (-1, height * width, channels)), (0, 2, 1))
    x = tf.transpose(tf.nn.softmax(x), (0, 2, 1))
    return tf.reshape(x, (-1, height, width, channels))


def _einsum(node, first, second):
    """A matrix product per image, as TFLite's BATCH_MATMUL: tf.einsum may stay a Flex operation."""
    inputs, result = node.settings["subscripts"].split("->")
    sizes, operands = {}, []
    for letters, x in zip(inputs.split(","), (first, second), strict=True):
        sizes |= dict(zip(letters, x.shape, strict=True))
        operands.append([c for c in letters[1:] if c in result or sizes[c] != 1])
    shared = [c for c in operands[0] if c in operands[1] and c not in result]
    matrices, outer = [], []
    for letters, x in zip(operands, (first, second), strict=True):
        free = [c for c in letters if c in result]
        if letters == free + shared:
            matrix = tf.reshape(x, (-1, _product(sizes, free), _product(sizes, shared)))
        elif letters == shared + free:
            matrix = tf.reshape(x, (-1, _product(sizes, shared), _product(sizes, free)))
        else:
            raise ValueError(f"{node.name}: the product {inputs} cannot be converted.")
        matrices.append((matrix, letters != free + shared))
        outer += free
    (a, turn_a), (b, turn_b) = matrices
    product = tf.matmul(a, b, transpose_a=turn_a, transpose_b=not turn_b)
    if outer != [*result[1:]]:
        raise ValueError(f"{node.name}: the product {inputs} cannot be converted.")
    return tf.reshape(product, (-1, *node.shape))


def _product(sizes, letters):
    return int(np.prod([sizes[c] for c in letters]))


def _binary(function):
    def build(node, x, y=None):
        return function(x, node.settings["constant"] if y is None else y)

    return build


BUILD = {
    "conv": _conv,
    "depthwise": _depthwise,
    "dense": _dense,
    "norm": lambda node, x: x * node.weights["scale"] + node.weights["offset"],
    "activation": lambda node, x: ACTIVATIONS[node.settings["function"]](x),
    "add": _binary(tf.add),
    "subtract": _binary(tf.subtract),
    "multiply": _binary(tf.multiply),
    "concat": lambda node, *xs: tf.concat(xs, node.settings["axis"]),
    "slice": _slice,
    "pad": lambda node, x: tf.pad(x, ((0, 0), *node.settings["padding"], (0, 0))),
    "nearest": _nearest,
    "resize": lambda node, x: tf.image.resize(x, node.shape[:2], node.settings["method"]),
    "corners": lambda node, x: tf.compat.v1.image.resize_bilinear(
        x, node.shape[:2], align_corners=True
    ),
    "average_pool": lambda node, x: tf.nn.avg_pool2d(
        x, node.settings["size"], node.settings["strides"], node.settings["padding"].upper()
    ),
    "mean": lambda node, x: tf.reduce_mean(x, (1, 2), keepdims=node.settings["keepdims"]),
    "reshape": lambda node, x: tf.reshape(x, (-1, *node.shape)),
    "permute": lambda node, x: tf.transpose(x, (0, *node.settings["axes"])),
    "take": lambda node, x: tf.gather(x, node.settings["indices"], axis=node.settings["axis"]),
    "einsum": _einsum,
    "expand": lambda node, x: tf.expand_dims(x, node.settings["axis"]),
    "softmax": _softmax,
}
ACTIVATIONS = {
    "relu": tf.nn.relu,
    "relu6": tf.nn.relu6,
    "sigmoid": tf.nn.sigmoid,
    "softmax": tf.nn.softmax,
    "hard_swish": lambda x: x * tf.nn.relu6(x + 3) / 6,
    "linear": tf.identity,
}


def frozen(model):
    """The model as a graph of constants, a concrete function of one image.

    Converters take a tenth of the time that they take for a model of variables.
    """
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    spec = tf.TensorSpec(model.input_shape, tf.float32, name="image")
    call = tf.function(lambda image: model(image, training=False)).get_concrete_function(spec)
    return convert_variables_to_constants_v2(call)
