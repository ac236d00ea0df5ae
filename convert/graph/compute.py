"""A graph computed by plain TensorFlow operations, those that TFLite has.

TensorFlow's own converters read Keras 3 models badly: they turn nearest upsampling into a chain of
TILE and RESHAPE, and quantization-aware training refuses the models.
"""

import inspect
from collections.abc import Callable, Mapping

import numpy as np
import tensorflow as tf

from hrnet_tf.convert.graph.nodes import Graph, Node

Weights = Mapping[Node, Mapping[str, np.ndarray]]
Mark = Callable[[Node, tf.Tensor], tf.Tensor]


def own_weights(graph: Graph) -> Weights:
    """The weights that the nodes have."""
    return {node: node.weights for node in graph.nodes if node.weights}


def tensors(weights: Weights) -> dict[Node, dict[str, tf.Tensor]]:
    """Weights as tensors, made outside of a `tf.function`: constants inside it take longer."""
    return {
        node: {name: tf.constant(value) for name, value in values.items()}
        for node, values in weights.items()
    }


def specs(graph: Graph, batch: int | None = None) -> dict[str, tf.TensorSpec]:
    """What a `tf.function` of the inputs takes, by name: `batch` examples, any number if None."""
    return {
        name: tf.TensorSpec((batch, *node.shape), node.dtype, name=name)
        for name, node in graph.inputs.items()
    }


def unmarked(node: Node, x: tf.Tensor) -> tf.Tensor:
    """The result of a node as it is."""
    return x


def compute(
    graph: Graph, arrays: Mapping[str, tf.Tensor], weights: Weights, mark: Mark = unmarked
) -> dict[str, tf.Tensor]:
    """The outputs of a graph by name; faster in a `tf.function` without autograph.

    Args:
        graph: of `read_graph`.
        arrays: (B, ...) for each input by name.
        weights: arrays, tensors or variables of each node that has some.
        mark: `(node, tensor) -> tensor`, called with each result: to note or to quantize it.
    """
    results, kept = {}, set(graph.results)
    last = {source: node for node in graph.nodes for source in node.inputs}
    for node in graph.nodes:
        sources = [results[source] for source in node.inputs]
        with tf.name_scope(node.name.replace("/", ".")):
            x = apply(node, weights.get(node), sources) if sources else arrays[node.name]
            results[node] = mark(node, x)
        for source in {*node.inputs} - kept:
            if last[source] is node:
                del results[source]  # memory, if this is not being traced
    return {name: results[node] for name, node in graph.outputs.items()}


def function(graph: Graph, weights: Weights, batch: int | None, mark: Mark = unmarked):
    """A `tf.function` for converters: its parameters are the inputs, it returns outputs by name.

    Args:
        graph: of `read_graph`.
        weights: as of `compute`.
        batch: examples per call; None for any number.
        mark: as of `compute`.
    """

    def call(*arrays):
        return compute(graph, dict(zip(graph.inputs, arrays, strict=True)), weights, mark)

    # Converters name the inputs of a file after the parameters.
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    parameters = [inspect.Parameter(name, kind) for name in graph.inputs]
    call.__signature__ = inspect.Signature(parameters)
    signature = [*specs(graph, batch).values()]
    return tf.function(call, autograph=False, input_signature=signature)


def apply(node: Node, weights: Mapping | None, sources: list[tf.Tensor]) -> tf.Tensor:
    """The result of one node."""
    if weights:
        return WEIGHTED[node.kind](node, weights, *sources)
    return PLAIN[node.kind](node, *sources)


def _conv(node, weights, x):
    settings = node.settings
    padding, dilation = settings["padding"].upper(), settings["dilation"]
    x = tf.nn.conv2d(x, weights["kernel"], settings["strides"], padding, dilations=dilation)
    return _shift(x, weights)


def _depthwise(node, weights, x):
    strides, padding = (1, *node.settings["strides"], 1), node.settings["padding"].upper()
    dilation = node.settings.get("dilation", (1, 1))
    x = tf.nn.depthwise_conv2d(x, weights["kernel"], strides, padding, dilations=dilation)
    return _shift(x, weights)


def _shift(x, weights):
    return tf.nn.bias_add(x, weights["bias"]) if "bias" in weights else x


WEIGHTED = {
    "conv": _conv,
    "depthwise": _depthwise,
    "dense": lambda node, weights, x: _shift(tf.matmul(x, weights["kernel"]), weights),
    "norm": lambda node, weights, x: x * weights["scale"] + weights["offset"],
}


def _nearest(node, x):
    if node.settings.get("repeat"):  # what XNNPACK takes, see `faster.repeat_pixels`
        height, width, channels = node.inputs[0].shape
        rows, columns = node.shape[0] // height, node.shape[1] // width
        x = tf.reshape(_repeated(x, columns, 3), (-1, height, width * columns * channels))
        return tf.reshape(_repeated(x, rows, 2), (-1, *node.shape))
    # TensorFlow 2's resize has half-pixel centres, for whole factors the same; with them TFLite's
    # RESIZE_NEAREST_NEIGHBOR is of version 3, which Edge TPU and older delegates refuse.
    return tf.raw_ops.ResizeNearestNeighbor(images=x, size=node.shape[:2])


def _repeated(x, times, axis):
    while times > 4 and times % 4 == 0:  # XNNPACK concatenates up to five
        x, times = tf.concat([x] * 4, axis), times // 4
    return tf.concat([x] * times, axis)


def _slice(node, x):
    axis, start = node.settings["axis"], node.settings["start"]
    if x.shape[0] is None:  # tf2onnx moves its transpositions past this one
        return x[(slice(None),) * axis + (slice(start, start + node.shape[axis - 1]),)]
    begin = [start if i == axis else 0 for i in range(len(node.shape) + 1)]
    # XNNPACK takes a slice only if its size is known.
    return tf.slice(x, begin, [x.shape[0] or -1, *node.shape])


def _softmax(node, x):
    axis = node.settings["axis"]
    if isinstance(axis, int):
        return tf.nn.softmax(x, axis)
    # OCR's is over all pixels. TFLite's SOFTMAX works on the last axis, so pixels become rows.
    height, width, channels = node.shape
    x = tf.transpose(tf.reshape(x, (-1, height * width, channels)), (0, 2, 1))
    x = tf.transpose(tf.nn.softmax(x), (0, 2, 1))
    return tf.reshape(x, (-1, height, width, channels))


def _group_norm(node, x):
    """Normalizes groups of channels over all pixels, in float also between integers."""
    groups, settings = node.settings["groups"], node.settings
    height, width, channels = node.shape
    x = tf.reshape(x, (-1, height * width, groups, channels // groups))
    mean = tf.reduce_mean(x, (1, 3), keepdims=True)
    variance = tf.reduce_mean(tf.math.squared_difference(x, mean), (1, 3), keepdims=True)
    x = tf.reshape((x - mean) * tf.math.rsqrt(variance + settings["epsilon"]), (-1, *node.shape))
    return x * settings["gamma"] + settings["beta"]


def _tile(node, x):
    """Channels to pixels: (h, w, rows * columns * C) -> (h * rows, w * columns, C)."""
    rows, columns = node.settings["tile"]
    if rows == columns:
        return tf.nn.depth_to_space(x, rows)
    height, width, _ = node.inputs[0].shape
    x = tf.reshape(x, (-1, height, width, rows, columns * node.shape[2]))
    return tf.reshape(tf.transpose(x, (0, 1, 3, 2, 4)), (-1, *node.shape))


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


def _erf(x):
    """The error function up to 1.5e-7; TFLite has no operation for it.

    Abramowitz and Stegun, Handbook of Mathematical Functions, 7.1.26.
    """
    size = tf.abs(x)
    t = 1 / (1 + 0.3275911 * size)
    total = 1.061405429
    for factor in (-1.453152027, 1.421413741, -0.284496736, 0.254829592):
        total = total * t + factor
    return tf.sign(x) * (1 - total * t * tf.exp(-size * size))


def _softplus(x):
    """log(1 + exp(x)). TFLite's converter writes it so, and exp overflows from x = 89 on."""
    return tf.nn.relu(x) + tf.math.log(1 + tf.exp(-tf.abs(x)))


PLAIN = {
    "activation": lambda node, x: ACTIVATIONS[node.settings["function"]](x),
    "add": _binary(tf.add),
    "subtract": _binary(tf.subtract),
    "multiply": _binary(tf.multiply),
    "concat": lambda node, *xs: tf.concat(xs, node.settings["axis"]),
    "slice": _slice,
    "pad": lambda node, x: tf.pad(x, ((0, 0), *node.settings["padding"], (0, 0))),
    "nearest": _nearest,
    "resize": lambda node, x: tf.image.resize(x, node.shape[:2], node.settings["method"]),
    "corners": lambda node, x: tf.raw_ops.ResizeBilinear(
        images=x, size=node.shape[:2], align_corners=True
    ),
    "average_pool": lambda node, x: tf.nn.avg_pool2d(
        x, node.settings["size"], node.settings["strides"], node.settings["padding"].upper()
    ),
    "max_pool": lambda node, x: tf.nn.max_pool2d(
        x, node.settings["size"], node.settings["strides"], node.settings["padding"].upper()
    ),
    "mean": lambda node, x: tf.reduce_mean(x, (1, 2), keepdims=node.settings["keepdims"]),
    "group_norm": _group_norm,
    "tile": _tile,
    "reshape": lambda node, x: tf.reshape(x, (-1, *node.shape)),
    "permute": lambda node, x: tf.transpose(x, (0, *node.settings["axes"])),
    "take": lambda node, x: tf.gather(x, node.settings["indices"], axis=node.settings["axis"]),
    "einsum": _einsum,
    "expand": lambda node, x: tf.expand_dims(x, node.settings["axis"]),
    "softmax": _softmax,
    "argmax": lambda node, x: tf.argmax(x, node.settings["axis"], tf.int32),
    "keras": lambda node, *xs: node.settings["function"](*xs),
    "decode": lambda node, x: node.settings["function"](x),
}
ACTIVATIONS = {
    "relu": tf.nn.relu,
    "relu6": tf.nn.relu6,
    "sigmoid": tf.nn.sigmoid,
    "softmax": tf.nn.softmax,
    "hard_silu": lambda x: x * tf.nn.relu6(x + 3) / 6,
    "silu": lambda x: x * tf.nn.sigmoid(x),
    "tanh": tf.nn.tanh,
    "gelu": lambda x: x * (0.5 + 0.5 * _erf(x * np.float32(np.sqrt(0.5)))),
    "softplus": _softplus,
    "mish": lambda x: x * tf.tanh(_softplus(x)),
    "linear": tf.identity,
}
