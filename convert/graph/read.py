"""Keras models as graphs of nodes."""

from collections.abc import Sequence

import keras
import numpy as np

from hrnet_tf.convert.graph.nodes import Graph, Node
from hrnet_tf.patches.keras_graph import called_once, walk
from hrnet_tf.runtime.keras_model import functional, input_shapes, named_outputs

EQUAL = ("Dropout", "SpatialDropout2D", "Identity", "InputLayer")
ACTIVATIONS = ("linear", "relu", "relu6", "sigmoid", "softmax", "hard_silu")  # of `compute`


def read_graph(model: keras.Model, outputs: Sequence[str] | None = None) -> Graph:
    """The graph of a Keras 3 model of fixed size, float32 whatever its precision.

    Args:
        model: functional, of built-in layers, with any number of inputs and outputs.
        outputs: names of the outputs to keep, such as those that a card describes; others are for
            training. All if None. A lone output takes a lone name.

    Raises:
        ValueError: an open size, a model that is not functional, an output that it has not, a layer
            or operation that cannot be converted, weights that are not finite.
    """
    model = functional(model)
    inputs = input_shapes(model)
    if any(None in shape or not shape for shape in inputs.values()):
        raise ValueError(
            f"`model` must fix the size of its inputs. Received: inputs={inputs}. Build it with a "
            "height and a width."
        )
    nodes = {name: Node("input", name, [], shape) for name, shape in inputs.items()}

    def reader(operation):
        return lambda *sources, **_: _read(operation, *sources)

    found = named_outputs(walk(model, nodes.values(), reader))
    graph = Graph(model.name, [], nodes, _kept(found, outputs))
    graph.prune()  # finds the nodes from the outputs
    return graph


def _kept(found, names):
    """The outputs with these names; a lone output takes a lone name."""
    if names is None:
        return found
    if len(names) == len(found) == 1:
        return dict(zip(names, found.values(), strict=True))
    missing = [name for name in names if name not in found]
    if missing:
        raise ValueError(
            f"`outputs` must be some of those of the network, {', '.join(found)}. "
            f"Received: {missing[0]!r}. Use the card that the network was trained with."
        )
    return {name: found[name] for name in names}


def _read(operation, *inputs):
    """The node, or nodes, that compute the same as a Keras 3 layer or operation."""
    kind = type(operation).__name__
    layer = isinstance(operation, keras.layers.Layer)
    if layer and kind in EQUAL:
        return inputs[0]
    table = LAYERS if layer else OPERATIONS
    known = kind in table and type(operation).__module__.startswith("keras.")
    sources = [each for each in keras.tree.flatten(inputs) if isinstance(each, Node)]
    if unusual := _unusual(kind, operation, sources) if known else kind:
        raise ValueError(
            f"{operation.name}: a {unusual} cannot be converted. Build the network from the layers "
            "that hrnet_tf uses, or leave this part out of the file."
        )
    if kind == "Split":
        return _split(operation, *inputs)
    if kind == "Conv2DTranspose":
        return _transposed(operation, *inputs)
    kind, settings = table[kind](operation, *inputs)
    node = Node(kind, operation.name, sources, _shape(operation, inputs), settings)
    if layer and operation.weights and kind != "group_norm":
        node.weights = _weights(operation)
    if kind in ("conv", "depthwise", "dense") and operation.activation.__name__ != "linear":
        # The activation is a node of its own, as everywhere in this family.
        settings = {"function": operation.activation.__name__}
        return Node("activation", f"{node.name}.activation", [node], node.shape, settings)
    return node


def _shape(operation, inputs):
    """The shape of the result, without the batch."""
    if called_once(operation):
        return tuple(operation.output.shape[1:])
    # Of an operation that is used several times, Keras tells the shape of the first result alone.
    tensors = keras.tree.map_structure(
        lambda each: keras.KerasTensor((None, *each.shape)) if isinstance(each, Node) else each,
        inputs,
    )
    return tuple(operation.compute_output_spec(*tensors).shape[1:])


def _unusual(kind, operation, sources):
    """Words for the feature of a known layer that `compute` lacks, or empty text."""
    activation = getattr(getattr(operation, "activation", None), "__name__", "linear")
    if activation not in ACTIVATIONS:
        return f"{kind} with the activation {activation}"
    if kind == "ReLU" and (operation.max_value or operation.negative_slope or operation.threshold):
        return "ReLU with a slope, threshold or maximum"
    if kind == "DepthwiseConv2D" and tuple(operation.dilation_rate) != (1, 1):
        return "DepthwiseConv2D with dilation"
    if kind == "GroupNormalization" and operation.axis not in (-1, len(sources[0].shape)):
        return "GroupNormalization over another axis than the last"
    if kind == "Conv2DTranspose" and not _tiles(operation):
        return "Conv2DTranspose whose kernel is not as large as its stride"
    if kind in ("Add", "Multiply") and len(sources) > 2:
        return f"{kind} of {len(sources)} tensors"
    return ""


def _conv(layer, *_):
    return "conv", {
        "strides": tuple(layer.strides),
        "padding": layer.padding,
        "dilation": tuple(layer.dilation_rate),
        "groups": layer.groups,
    }


def _depthwise(layer, *_):
    return "depthwise", {"strides": tuple(layer.strides), "padding": layer.padding}


def _activation(layer, *_):
    return "activation", {"function": layer.activation.__name__}


def _upsampling(layer, *_):
    if layer.interpolation == "nearest":
        return "nearest", {}
    return "resize", {"method": layer.interpolation}


def _pool(layer, *_):
    return "average_pool", {
        "size": tuple(layer.pool_size),
        "strides": tuple(layer.strides),
        "padding": layer.padding,
    }


def _group_norm(layer, *_):
    """Its gamma and beta are settings: unlike kernels they are never rounded to 8 bits."""
    channels = layer.input_spec.axes[layer.axis]
    groups = channels if layer.groups == -1 else layer.groups
    found = {weight.name: np.asarray(weight, np.float32) for weight in layer.weights}
    _check_finite(layer, found)
    gamma, beta = (found.get(name, value) for name, value in (("gamma", 1.0), ("beta", 0.0)))
    return "group_norm", {"groups": groups, "epsilon": layer.epsilon, "gamma": gamma, "beta": beta}


def _tiles(layer):
    """Whether each pixel becomes a tile of its own: tiles neither overlap nor leave gaps."""
    plain = layer.output_padding is None and tuple(layer.dilation_rate) == (1, 1)
    return plain and tuple(layer.kernel_size) == tuple(layer.strides)


def _transposed(layer, source):
    """A 1x1 convolution to all pixels of a tile, and a node that puts them side by side."""
    height, width, filters = _shape(layer, [source])
    values = {w.name: np.asarray(w, np.float32) for w in layer.weights}
    _check_finite(layer, values)
    rows, columns = layer.strides
    kernel = values["kernel"].reshape(rows * columns * filters, -1).T[None, None]
    weights = {"kernel": np.ascontiguousarray(kernel)}
    if "bias" in values:
        weights["bias"] = np.tile(values["bias"], rows * columns)
    settings = {"strides": (1, 1), "padding": "valid", "dilation": (1, 1), "groups": 1}
    shape = (*source.shape[:2], rows * columns * filters)
    node = Node("conv", f"{layer.name}.tiles", [source], shape, settings, weights)
    if layer.activation.__name__ != "linear":
        settings = {"function": layer.activation.__name__}
        node = Node("activation", f"{layer.name}.activation", [node], shape, settings)
    return Node("tile", layer.name, [node], (height, width, filters), {"tile": (rows, columns)})


LAYERS = {
    "Conv2D": _conv,
    "DepthwiseConv2D": _depthwise,
    "Dense": lambda *_: ("dense", {}),
    "BatchNormalization": lambda *_: ("norm", {}),
    "GroupNormalization": _group_norm,
    "Conv2DTranspose": _transposed,
    "Activation": _activation,
    "ReLU": lambda *_: ("activation", {"function": "relu"}),
    "Softmax": lambda layer, *_: ("softmax", {"axis": layer.axis}),
    "Add": lambda *_: ("add", {}),
    "Multiply": lambda *_: ("multiply", {}),
    "Concatenate": lambda layer, *_: ("concat", {"axis": layer.axis}),
    "ZeroPadding2D": lambda layer, *_: ("pad", {"padding": layer.padding}),
    "UpSampling2D": _upsampling,
    "AveragePooling2D": _pool,
    "GlobalAveragePooling2D": lambda layer, *_: ("mean", {"keepdims": layer.keepdims}),
    "Reshape": lambda *_: ("reshape", {}),
    "Permute": lambda layer, *_: ("permute", {"axes": tuple(layer.dims)}),
    "Flatten": lambda *_: ("reshape", {}),
}


def _arithmetic(kind):
    def read(operation, first, second):
        constant = None if isinstance(second, Node) else np.asarray(second, np.float32)
        return kind, {} if constant is None else {"constant": constant}

    return read


def _split(operation, source):
    """A slice for each part."""
    parts, axis = operation.indices_or_sections, operation.axis % (len(source.shape) + 1)
    length = source.shape[axis - 1]
    starts = range(0, length, length // parts) if isinstance(parts, int) else (0, *parts)
    ends = [*starts[1:], length]
    pieces = []
    for number, (start, end) in enumerate(zip(starts, ends, strict=True)):
        shape = (*source.shape[: axis - 1], end - start, *source.shape[axis:])
        settings = {"axis": axis, "start": start}
        pieces.append(Node("slice", f"{operation.name}.{number}", [source], shape, settings))
    return pieces


OPERATIONS = {
    "Add": _arithmetic("add"),
    "Subtract": _arithmetic("subtract"),
    "Multiply": _arithmetic("multiply"),
    "Split": _split,
    "Resize": lambda op, *_: ("resize", {"method": op.interpolation}),
    "Take": lambda op, _, indices: ("take", {"axis": op.axis, "indices": np.asarray(indices)}),
    "Einsum": lambda op, *_: ("einsum", {"subscripts": op.subscripts}),
    "ExpandDims": lambda op, *_: ("expand", {"axis": op.axis}),
    "Squeeze": lambda *_: ("reshape", {}),
    "Softmax": lambda op, *_: ("softmax", {"axis": op.axis}),
}


def _weights(layer) -> dict[str, np.ndarray]:
    values = {w.name: np.asarray(w, np.float32) for w in layer.weights}
    _check_finite(layer, values)
    if "moving_variance" not in values:
        return values
    gamma, beta = values.get("gamma", 1.0), values.get("beta", 0.0)
    scale = gamma / np.sqrt(values["moving_variance"] + np.float32(layer.epsilon))
    return {"scale": scale, "offset": beta - values["moving_mean"] * scale}


def _check_finite(layer, values):
    if not all(np.isfinite(value).all() for value in values.values()):
        raise ValueError(
            f"The weights of {layer.name} are not finite. Load the checkpoint again, or go back to "
            "one from before the training broke."
        )
