"""The layers and operations of Keras that are computed as nodes of `compute`'s own kinds.

`LAYERS` and `OPERATIONS` say for each of them how it is read, and which of its arguments may have
which values. With any other argument, also one that a later Keras may add, `read` lets Keras itself
compute the layer: an argument is never passed over.
"""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import keras
import numpy as np

from hrnet_tf.convert.graph.nodes import Node

ANY = None  # of `Known.arguments`: `read` takes every value
# Arguments that the result in prediction does not depend on.
IDLE = {"name", "trainable", "dtype", "build_config", "activity_regularizer", "momentum"}
IDLE |= {"synchronized", "renorm_clipping", "renorm_momentum", "center", "scale", "use_bias"}
# Layers that do nothing in prediction.
EQUAL = {"Dropout", "SpatialDropout1D", "SpatialDropout2D", "SpatialDropout3D", "Identity"}
EQUAL |= {"GaussianNoise", "GaussianDropout", "AlphaDropout", "ActivityRegularization"}
EQUAL |= {"RandomFlip", "RandomRotation", "RandomZoom", "RandomTranslation", "RandomContrast"}

IMAGE = {"data_format": ("channels_last",)}
KERNEL = {"kernel_size": ANY, "strides": ANY, "padding": ("valid", "same"), "activation": ANY}
KERNEL |= {"dilation_rate": ANY, **IMAGE}


@dataclass(frozen=True)
class Known:
    """How a layer or operation is read.

    Attributes:
        read: `(operation, sources, shape) -> Node`, or None if this call needs Keras. `sources`
            are the arguments of the call, nodes and constants; `shape` is that of the result.
        arguments: those that `read` looks at, with the values that it takes. Others must be None,
            False, 0 or "constant".
    """

    read: Callable
    arguments: Mapping = field(default_factory=dict)


def known(operation: keras.Operation) -> Known | None:
    """How to read a layer or operation; None if Keras must compute it."""
    kind = type(operation)
    if not kind.__module__.startswith("keras."):
        return None
    layer = isinstance(operation, keras.layers.Layer)
    found = (LAYERS if layer else OPERATIONS).get(kind.__name__)
    if found is None:
        return None
    values = operation.get_config() if layer else _settings(operation)
    for name, value in values.items():
        if name.endswith(("_initializer", "_regularizer", "_constraint")) or name in IDLE:
            continue
        allowed = found.arguments.get(name, (None, False, 0, "constant"))
        value = tuple(value) if isinstance(value, list) else value
        if allowed is not ANY and value not in allowed:
            return None
    return found


def _settings(operation):
    """The arguments of an operation, which has no `get_config` of its own."""
    names = inspect.signature(type(operation).__init__).parameters
    return {name: getattr(operation, name) for name in names if hasattr(operation, name)}


def activated(node: Node, function: Callable) -> Node:
    """The activation of a layer behind its node."""
    known_as, name = ACTIVATIONS.get(function), f"{node.name}.activation"
    if known_as == "linear":
        return node
    if known_as:
        return Node("activation", name, [node], node.shape, {"function": known_as})
    kind = getattr(function, "__name__", type(function).__name__)
    return fallback(name, f"{kind} activation", [node], node.shape, function)


def fallback(name, kind, sources, shape, function, dtype="float32") -> Node:
    """A node that Keras computes.

    Args:
        name: of the layer.
        kind: its type, for messages.
        sources: the nodes that it takes.
        shape: of its result, without the batch.
        function: maps the tensors of its sources to its result.
        dtype: of its result.
    """
    settings = {"function": function, "type": kind, "layer": name}
    return Node("keras", name, [*sources], shape, settings, {}, dtype)


def weights_of(layer: keras.layers.Layer) -> dict[str, np.ndarray]:
    """The weights of a layer by name, float32.

    Raises:
        ValueError: they are not finite.
    """
    values = {weight.name: np.asarray(weight, np.float32) for weight in layer.weights}
    if not all(np.isfinite(value).all() for value in values.values()):
        raise ValueError(
            f"The weights of {layer.name} are not finite. Load the checkpoint again, or go back to "
            "one from before the training broke."
        )
    return values


def _conv(layer, sources, shape):
    settings = {
        "strides": tuple(layer.strides),
        "padding": layer.padding,
        "dilation": tuple(layer.dilation_rate),
        "groups": layer.groups,
    }
    node = Node("conv", layer.name, [*sources], shape, settings, weights_of(layer))
    return activated(node, layer.activation)


def _depthwise(layer, sources, shape):
    settings = {
        "strides": tuple(layer.strides),
        "padding": layer.padding,
        "dilation": tuple(layer.dilation_rate),
    }
    node = Node("depthwise", layer.name, [*sources], shape, settings, weights_of(layer))
    return activated(node, layer.activation)


def _separable(layer, sources, shape):
    """A depthwise convolution and a pointwise one."""
    weights = weights_of(layer)
    settings = {
        "strides": tuple(layer.strides),
        "padding": layer.padding,
        "dilation": tuple(layer.dilation_rate),
    }
    first, second = weights["depthwise_kernel"], weights["pointwise_kernel"]
    between = (*shape[:2], second.shape[2])
    name = f"{layer.name}.depthwise"
    node = Node("depthwise", name, [*sources], between, settings, {"kernel": first})
    settings = {"strides": (1, 1), "padding": "valid", "dilation": (1, 1), "groups": 1}
    weights = {"kernel": second} | {name: weights[name] for name in ("bias",) if name in weights}
    return activated(Node("conv", layer.name, [node], shape, settings, weights), layer.activation)


def _dense(layer, sources, shape):
    node = Node("dense", layer.name, [*sources], shape, {}, weights_of(layer))
    return activated(node, layer.activation)


def _transposed(layer, sources, shape):
    """A 1x1 convolution to all pixels of a tile, and a node that puts them side by side.

    Only where tiles neither overlap nor leave gaps.
    """
    (source,), (rows, columns) = sources, layer.strides
    if tuple(layer.kernel_size) != (rows, columns) or tuple(layer.dilation_rate) != (1, 1):
        return None
    values, filters = weights_of(layer), shape[2]
    kernel = values["kernel"].reshape(rows * columns * filters, -1).T[None, None]
    weights = {"kernel": np.ascontiguousarray(kernel)}
    if "bias" in values:
        weights["bias"] = np.tile(values["bias"], rows * columns)
    settings = {"strides": (1, 1), "padding": "valid", "dilation": (1, 1), "groups": 1}
    inner = (*source.shape[:2], rows * columns * filters)
    node = Node("conv", f"{layer.name}.tiles", [source], inner, settings, weights)
    node = activated(node, layer.activation)
    settings = {"tile": (rows, columns)}
    return Node("tile", layer.name, [node], shape, settings)


def _batch_norm(layer, sources, shape):
    if layer.axis not in (-1, len(shape)):
        return None
    values = weights_of(layer)
    gamma, beta = values.get("gamma", np.float32(1)), values.get("beta", np.float32(0))
    scale = gamma / np.sqrt(values["moving_variance"] + np.float32(layer.epsilon))
    weights = {"scale": scale, "offset": beta - values["moving_mean"] * scale}
    return Node("norm", layer.name, [*sources], shape, {}, weights)


def _group_norm(layer, sources, shape):
    """Its gamma and beta are settings: unlike kernels they are never rounded to 8 bits."""
    if layer.axis not in (-1, len(shape)) or len(shape) != 3:
        return None
    groups = shape[-1] if layer.groups == -1 else layer.groups
    found = weights_of(layer)
    gamma, beta = (found.get(name, value) for name, value in (("gamma", 1.0), ("beta", 0.0)))
    settings = {"groups": groups, "epsilon": layer.epsilon, "gamma": gamma, "beta": beta}
    return Node("group_norm", layer.name, [*sources], shape, settings)


def _affine(name, sources, shape, scale, offset):
    """X * scale + offset, a number each for a channel or for all; None for other shapes."""
    scale, offset = np.asarray(scale, np.float32), np.asarray(offset, np.float32)
    if any(each.size > 1 and each.shape[-1] != each.size for each in (scale, offset)):
        return None
    if not {scale.size, offset.size} <= {1, shape[-1]}:
        return None
    weights = {
        "scale": np.broadcast_to(scale.ravel(), shape[-1:]).copy(),
        "offset": np.broadcast_to(offset.ravel(), shape[-1:]).copy(),
    }
    return Node("norm", name, [*sources], shape, {}, weights)


def _rescaling(layer, sources, shape):
    return _affine(layer.name, sources, shape, layer.scale, layer.offset)


def _normalization(layer, sources, shape):
    mean = np.asarray(keras.ops.convert_to_numpy(layer.mean), np.float64)
    std = np.sqrt(np.asarray(keras.ops.convert_to_numpy(layer.variance), np.float64))
    std = np.maximum(std, keras.config.epsilon())
    return _affine(layer.name, sources, shape, 1 / std, -mean / std)


def _activation(layer, sources, shape):
    name = ACTIVATIONS.get(layer.activation)
    if name is None:
        return None
    return Node("activation", layer.name, [*sources], shape, {"function": name})


def _function(name):
    def read(operation, sources, shape):
        return Node("activation", operation.name, [*sources], shape, {"function": name})

    return read


def _relu(layer, sources, shape):
    if layer.negative_slope or layer.threshold:
        return None
    name = {None: "relu", 6.0: "relu6"}.get(layer.max_value)
    return name and Node("activation", layer.name, [*sources], shape, {"function": name})


def _softmax(operation, sources, shape):
    axis = operation.axis
    axis = axis if isinstance(axis, int) else tuple(axis or ())
    if axis != (1, 2) and (not isinstance(axis, int) or axis % (len(shape) + 1) == 0):
        return None
    return Node("softmax", operation.name, [*sources], shape, {"axis": axis})


def _arithmetic(kind):
    def read(operation, sources, shape):
        first, second = sources
        if isinstance(first, Node) and isinstance(second, Node):
            if len(first.shape) != len(second.shape):
                return None
            return Node(kind, operation.name, [first, second], shape)
        turned = not isinstance(first, Node)
        node, constant = (second, first) if turned else (first, second)
        constant = np.asarray(constant, np.float32)
        rank = len(shape) + 1
        if constant.ndim > rank or (constant.ndim == rank and len(constant) > 1):
            return None  # it would have the batch's axis
        settings = {"constant": constant} | ({"first": True} if turned else {})
        return Node(kind, operation.name, [node], shape, settings)

    return read


def _divide(operation, sources, shape):
    first, second = sources
    if not isinstance(first, Node) or isinstance(second, Node) or not np.all(second):
        return None
    factor = (1 / np.asarray(second, np.float64)).astype(np.float32)
    return _arithmetic("multiply")(operation, [first, factor], shape)


def _merge(kind):
    """A sum or product of any number of tensors, two at a time."""

    def read(layer, sources, shape):
        if len({len(each.shape) for each in sources}) > 1:
            return None
        total, *more = sources
        for number, each in enumerate(more, 2):
            name = layer.name if number == len(sources) else f"{layer.name}.{number}"
            pairs = zip(total.shape, each.shape, strict=True)
            total = Node(kind, name, [total, each], tuple(map(max, pairs)))
        return total

    return read


def _concat(operation, sources, shape):
    axis = operation.axis % (len(shape) + 1)
    return (axis and Node("concat", operation.name, [*sources], shape, {"axis": axis})) or None


def _pad(layer, sources, shape):
    return Node("pad", layer.name, [*sources], shape, {"padding": layer.padding})


def _upsampling(layer, sources, shape):
    if layer.interpolation == "nearest":
        return Node("nearest", layer.name, [*sources], shape)
    return Node("resize", layer.name, [*sources], shape, {"method": layer.interpolation})


def _resize(operation, sources, shape):
    return Node("resize", operation.name, [*sources], shape, {"method": operation.interpolation})


def _pool(kind):
    def read(layer, sources, shape):
        settings = {
            "size": tuple(layer.pool_size),
            "strides": tuple(layer.strides),
            "padding": layer.padding,
        }
        return Node(kind, layer.name, [*sources], shape, settings)

    return read


def _mean(operation, sources, shape):
    axes = getattr(operation, "axis", (1, 2))
    axes = tuple(axes) if isinstance(axes, list | tuple) else ()
    if sorted(axes) not in ([1, 2], [-3, -2]) or len(sources[0].shape) != 3:
        return None
    return Node("mean", operation.name, [*sources], shape, {"keepdims": operation.keepdims})


def _reshape(operation, sources, shape):
    return Node("reshape", operation.name, [*sources], shape)


def _squeeze(operation, sources, shape):
    axis = operation.axis
    inside = axis is not None and 0 not in {
        each % (len(sources[0].shape) + 1) for each in _all(axis)
    }
    return _reshape(operation, sources, shape) if inside else None


def _all(axis):
    return axis if isinstance(axis, list | tuple) else (axis,)


def _expand(operation, sources, shape):
    axes = [each % (len(shape) + 1) for each in _all(operation.axis)]
    if len(axes) != 1 or 0 in axes:
        return None
    return Node("expand", operation.name, [*sources], shape, {"axis": axes[0]})


def _permute(layer, sources, shape):
    return Node("permute", layer.name, [*sources], shape, {"axes": tuple(layer.dims)})


def _split(operation, sources, shape):
    """A slice for each part."""
    (source,), parts = sources, operation.indices_or_sections
    axis = operation.axis % (len(source.shape) + 1)
    if axis == 0:
        return None
    length = source.shape[axis - 1]
    starts = range(0, length, length // parts) if isinstance(parts, int) else (0, *parts)
    ends = [*starts[1:], length]
    return [
        _slice(f"{operation.name}.{number}", source, axis, start, end)
        for number, (start, end) in enumerate(zip(starts, ends, strict=True))
    ]


def _slice(name, source, axis, start, end):
    shape = (*source.shape[: axis - 1], end - start, *source.shape[axis:])
    return Node("slice", name, [source], shape, {"axis": axis, "start": start})


def _item(operation, sources, shape):
    """`x[..., a:b]`, a part of one axis."""
    source, key = sources
    key = key if isinstance(key, tuple) else (key,)
    rank = len(source.shape) + 1
    if key.count(Ellipsis) > 1 or not all(isinstance(each, slice | type(...)) for each in key):
        return None
    place = key.index(Ellipsis) if Ellipsis in key else len(key)
    full = (slice(None),) * (rank - len(key) + (Ellipsis in key))
    key = (*key[:place], *full, *key[place + 1 :])
    cut = [axis for axis, each in enumerate(key) if each != slice(None)]
    if len(cut) != 1 or cut[0] == 0 or key[cut[0]].step not in (None, 1):
        return None
    start, end, _ = key[cut[0]].indices(source.shape[cut[0] - 1])
    return _slice(operation.name, source, cut[0], start, end)


def _flip(operation, sources, shape):
    """The channels in reverse order, as between RGB and BGR."""
    if operation.axis not in (-1, len(shape)):
        return None
    settings = {"axis": len(shape), "indices": np.arange(shape[-1])[::-1].copy()}
    return Node("take", operation.name, [*sources], shape, settings)


def _take(operation, sources, shape):
    source, indices = sources
    rank = len(source.shape) + 1
    if isinstance(indices, Node) or operation.axis is None or operation.axis % rank == 0:
        return None
    indices = np.asarray(indices)
    if indices.ndim != 1 or indices.dtype.kind not in "iu" or indices.min(initial=0) < 0:
        return None
    return Node(
        "take", operation.name, [source], shape, {"axis": operation.axis, "indices": indices}
    )


def _argmax(operation, sources, shape):
    """Keras' own works on the bits of the numbers, to tell -0 from 0; TFLite cannot."""
    rank = len(sources[0].shape) + 1
    if operation.axis is None or operation.axis % rank == 0:
        return None
    settings = {"axis": operation.axis % rank}
    return Node("argmax", operation.name, [*sources], shape, settings, dtype="int32")


def _einsum(operation, sources, shape):
    settings = {"subscripts": operation.subscripts}
    return Node("einsum", operation.name, [*sources], shape, settings)


_a = keras.activations
ACTIVATIONS = {
    _a.linear: "linear",
    _a.relu: "relu",
    _a.relu6: "relu6",
    _a.sigmoid: "sigmoid",
    _a.softmax: "softmax",
    _a.hard_silu: "hard_silu",
    _a.silu: "silu",
    _a.tanh: "tanh",
    _a.gelu: "gelu",
}
LAYERS = {
    "Conv2D": Known(_conv, {**KERNEL, "filters": ANY, "groups": ANY}),
    "DepthwiseConv2D": Known(_depthwise, {**KERNEL, "depth_multiplier": ANY}),
    "SeparableConv2D": Known(
        _separable,
        {**KERNEL, "filters": ANY, "depth_multiplier": ANY, "groups": (1,), "rank": (2,)},
    ),
    "Conv2DTranspose": Known(_transposed, {**KERNEL, "filters": ANY, "groups": (1,), "rank": (2,)}),
    "Dense": Known(_dense, {"units": ANY, "activation": ANY}),
    "BatchNormalization": Known(_batch_norm, {"axis": ANY, "epsilon": ANY}),
    "GroupNormalization": Known(_group_norm, {"axis": ANY, "epsilon": ANY, "groups": ANY}),
    "Rescaling": Known(_rescaling, {"scale": ANY, "offset": ANY}),
    "Normalization": Known(_normalization, {"axis": ANY, "mean": ANY, "variance": ANY}),
    "Activation": Known(_activation, {"activation": ANY}),
    "ReLU": Known(_relu, {"max_value": ANY, "negative_slope": ANY, "threshold": ANY}),
    "Softmax": Known(_softmax, {"axis": ANY}),
    "Add": Known(_merge("add")),
    "Multiply": Known(_merge("multiply")),
    "Subtract": Known(_arithmetic("subtract")),
    "Concatenate": Known(_concat, {"axis": ANY}),
    "ZeroPadding2D": Known(_pad, {"padding": ANY, **IMAGE}),
    "UpSampling2D": Known(
        _upsampling, {"size": ANY, "interpolation": ("nearest", "bilinear"), **IMAGE}
    ),
    "AveragePooling2D": Known(
        _pool("average_pool"), {"pool_size": ANY, "strides": ANY, "padding": ANY, **IMAGE}
    ),
    "MaxPooling2D": Known(
        _pool("max_pool"), {"pool_size": ANY, "strides": ANY, "padding": ANY, **IMAGE}
    ),
    "GlobalAveragePooling2D": Known(_mean, {"keepdims": ANY, **IMAGE}),
    "Reshape": Known(_reshape, {"target_shape": ANY}),
    "Permute": Known(_permute, {"dims": ANY}),
    "Flatten": Known(_reshape, IMAGE),
    "Resizing": Known(
        _resize, {"height": ANY, "width": ANY, "interpolation": ("bilinear",), **IMAGE}
    ),
}
OPERATIONS = {
    "Add": Known(_arithmetic("add")),
    "Subtract": Known(_arithmetic("subtract")),
    "Multiply": Known(_arithmetic("multiply")),
    "Divide": Known(_divide),
    "TrueDivide": Known(_divide),
    "Split": Known(_split, {"indices_or_sections": ANY, "axis": ANY}),
    "GetItem": Known(_item),
    "Concatenate": Known(_concat, {"axis": ANY}),
    "Flip": Known(_flip, {"axis": ANY}),
    "Mean": Known(_mean, {"axis": ANY, "keepdims": ANY}),
    "Resize": Known(_resize, {"size": ANY, "interpolation": ("bilinear",), **IMAGE}),
    "Take": Known(_take, {"axis": ANY}),
    "Argmax": Known(_argmax, {"axis": ANY}),
    "Einsum": Known(_einsum, {"subscripts": ANY}),
    "ExpandDims": Known(_expand, {"axis": ANY}),
    "Squeeze": Known(_squeeze, {"axis": ANY}),
    "Softmax": Known(_softmax, {"axis": ANY}),
    "Relu": Known(_function("relu")),
    "Relu6": Known(_function("relu6")),
    "Sigmoid": Known(_function("sigmoid")),
    "Tanh": Known(_function("tanh")),
    "Silu": Known(_function("silu")),
}
