"""The layers and operations of Keras that are computed as nodes of `compute`'s own kinds.

`LAYERS` and `OPERATIONS` say for each of them how it is read, and which of its arguments may have
which values. With any other argument, also one that a later Keras may add, `read` lets Keras itself
compute the layer: an argument is never passed over.
"""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import keras

from hrnet_tf.convert.graph.layers import kernels, norms, numbers, shapes

ANY = None  # of `Known.arguments`: `read` takes every value
# Arguments that the result in prediction does not depend on.
IDLE = {"name", "trainable", "dtype", "build_config", "activity_regularizer", "momentum"}
IDLE |= {"synchronized", "renorm_clipping", "renorm_momentum", "center", "scale", "use_bias"}
# Layers that do nothing in prediction.
EQUAL = {"Dropout", "SpatialDropout1D", "SpatialDropout2D", "SpatialDropout3D", "Identity"}
EQUAL |= {"GaussianNoise", "GaussianDropout", "AlphaDropout", "ActivityRegularization"}
EQUAL |= {"RandomFlip", "RandomRotation", "RandomZoom", "RandomTranslation", "RandomContrast"}
EQUAL |= {"RandomBrightness", "RandomHue", "RandomSaturation", "RandomSharpness", "RandomShear"}
EQUAL |= {"RandomPosterization", "RandomInvert", "RandomGrayscale", "RandomGaussianBlur"}
EQUAL |= {"RandomErasing", "RandomElasticTransform", "RandomColorJitter", "RandomPerspective"}
EQUAL |= {"RandomColorDegeneration", "RandAugment", "AugMix", "MixUp", "CutMix"}

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


LAYERS = {
    "Conv2D": Known(kernels.conv, {**KERNEL, "filters": ANY, "groups": ANY}),
    "DepthwiseConv2D": Known(kernels.depthwise, {**KERNEL, "depth_multiplier": ANY}),
    "SeparableConv2D": Known(
        kernels.separable,
        {**KERNEL, "filters": ANY, "depth_multiplier": ANY, "groups": (1,), "rank": (2,)},
    ),
    "Conv2DTranspose": Known(
        kernels.transposed,
        {**KERNEL, "filters": ANY, "output_padding": ANY, "groups": (1,), "rank": (2,)},
    ),
    "Dense": Known(kernels.dense, {"units": ANY, "activation": ANY}),
    "BatchNormalization": Known(norms.batch_norm, {"axis": ANY, "epsilon": ANY}),
    "GroupNormalization": Known(norms.group_norm, {"axis": ANY, "epsilon": ANY, "groups": ANY}),
    "Rescaling": Known(norms.rescaling, {"scale": ANY, "offset": ANY}),
    "Normalization": Known(norms.normalization, {"axis": ANY, "mean": ANY, "variance": ANY}),
    "Activation": Known(numbers.activation, {"activation": ANY}),
    "ReLU": Known(numbers.relu, {"max_value": ANY, "negative_slope": ANY, "threshold": ANY}),
    "Softmax": Known(numbers.softmax, {"axis": ANY}),
    "Add": Known(numbers.merge("add")),
    "Multiply": Known(numbers.merge("multiply")),
    "Subtract": Known(numbers.arithmetic("subtract")),
    "Concatenate": Known(shapes.concat, {"axis": ANY}),
    "ZeroPadding2D": Known(shapes.pad, {"padding": ANY, **IMAGE}),
    "UpSampling2D": Known(
        shapes.upsampling, {"size": ANY, "interpolation": ("nearest", "bilinear"), **IMAGE}
    ),
    "AveragePooling2D": Known(
        shapes.pool("average_pool"), {"pool_size": ANY, "strides": ANY, "padding": ANY, **IMAGE}
    ),
    "MaxPooling2D": Known(
        shapes.pool("max_pool"), {"pool_size": ANY, "strides": ANY, "padding": ANY, **IMAGE}
    ),
    "GlobalAveragePooling2D": Known(numbers.mean, {"keepdims": ANY, **IMAGE}),
    "Reshape": Known(shapes.reshape, {"target_shape": ANY}),
    "Permute": Known(shapes.permute, {"dims": ANY}),
    "Flatten": Known(shapes.reshape, IMAGE),
    "Resizing": Known(
        shapes.resize, {"height": ANY, "width": ANY, "interpolation": ("bilinear",), **IMAGE}
    ),
}
OPERATIONS = {
    "Add": Known(numbers.arithmetic("add")),
    "Subtract": Known(numbers.arithmetic("subtract")),
    "Multiply": Known(numbers.arithmetic("multiply")),
    "Divide": Known(numbers.divide),
    "TrueDivide": Known(numbers.divide),
    "Split": Known(shapes.split, {"indices_or_sections": ANY, "axis": ANY}),
    "GetItem": Known(shapes.item),
    "Concatenate": Known(shapes.concat, {"axis": ANY}),
    "Flip": Known(shapes.flip, {"axis": ANY}),
    "Mean": Known(numbers.mean, {"axis": ANY, "keepdims": ANY}),
    "Resize": Known(shapes.resize, {"size": ANY, "interpolation": ("bilinear",), **IMAGE}),
    "Take": Known(shapes.take, {"axis": ANY}),
    "Argmax": Known(numbers.argmax, {"axis": ANY}),
    "Einsum": Known(numbers.einsum, {"subscripts": ANY}),
    "ExpandDims": Known(shapes.expand, {"axis": ANY}),
    "Squeeze": Known(shapes.squeeze, {"axis": ANY}),
    "Softmax": Known(numbers.softmax, {"axis": ANY}),
    "Relu": Known(numbers.function("relu")),
    "Relu6": Known(numbers.function("relu6")),
    "Sigmoid": Known(numbers.function("sigmoid")),
    "Tanh": Known(numbers.function("tanh")),
    "Silu": Known(numbers.function("silu")),
    "Reciprocal": Known(numbers.reciprocal),
    "Softplus": Known(numbers.function("softplus")),
}
