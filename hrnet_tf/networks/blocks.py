"""Building blocks: functions from tensor to tensor, of built-in Keras layers and `keras.ops`.

A layer that owns weights is named after its parameters in the original PyTorch checkpoints; a
weightless layer adds a word to the name of the block it serves.
"""

import keras
import numpy as np
from keras import layers, ops

# PyTorch's defaults. Its momentum of 0.1 is the weight of the new value, Keras' of the old one.
BN_EPSILON = 1e-5
BN_MOMENTUM = 0.9


def extent(x, axis):
    """Size of a tensor along an axis: an int if it is fixed, else an int32 tensor of the graph."""
    if x.shape[axis] is not None:
        return x.shape[axis]
    along = tuple(slice(None) if each == axis else 0 for each in range(len(x.shape)))
    return ops.sum(ops.ones_like(x[along], dtype="int32"))


def normal(stddev=0.001):
    """A new N(0, stddev) for each layer: layers that share an initializer get the same numbers."""
    return keras.initializers.RandomNormal(stddev=stddev)


def _pad(x, kernel_size, stride, name):
    """Pads with zeros where needed; returns the tensor and the convolution's `padding`."""
    if stride == 1:
        return x, "same"
    # PyTorch pads both sides; Keras "same" at stride 2 would pad one side and shift the grid.
    return layers.ZeroPadding2D(kernel_size // 2, name=f"{name}.pad")(x), "valid"


def conv(x, filters, kernel_size, name, *, stride=1, use_bias=False, activation=None, dtype=None):
    """A convolution with PyTorch's symmetric padding."""
    x, padding = _pad(x, kernel_size, stride, name)
    return layers.Conv2D(
        filters,
        kernel_size,
        stride,
        padding,
        use_bias=use_bias,
        activation=activation,
        kernel_initializer=normal(),
        dtype=dtype,
        name=name,
    )(x)


def conv_layer(filters, kernel_size, name, *, stride=1, use_bias=True, start, **options):
    """A convolution of heads, which may serve several maps; pad before it if `stride` is not 1."""
    return layers.Conv2D(
        filters,
        kernel_size,
        stride,
        "same" if stride == 1 else "valid",
        use_bias=use_bias,
        kernel_initializer=start,
        name=name,
        **options,
    )


def kaiming():
    """He et al. ICCV 2015 by the number of outputs, as OpenMMLab starts most heads."""
    return keras.initializers.VarianceScaling(2.0, "fan_out", "untruncated_normal")


def batch_norm(x, name, activation=None):
    x = layers.BatchNormalization(momentum=BN_MOMENTUM, epsilon=BN_EPSILON, name=name)(x)
    return layers.Activation(activation, name=f"{name}.{activation}")(x) if activation else x


def conv_bn(x, filters, kernel_size, names, *, stride=1, activation=None):
    """Convolution without bias, batch normalization, activation; `names` name the first two."""
    x = conv(x, filters, kernel_size, names[0], stride=stride)
    return batch_norm(x, names[1], activation)


def depthwise_bn(x, names, *, stride=1):
    """3x3 depthwise convolution and batch normalization."""
    x, padding = _pad(x, 3, stride, names[0])
    x = layers.DepthwiseConv2D(
        3, stride, padding, use_bias=False, depthwise_initializer=normal(), name=names[0]
    )(x)
    return batch_norm(x, names[1])


def pair(prefix, first=0):
    """Names of a convolution and its normalization inside a PyTorch `Sequential`."""
    return f"{prefix}.{first}", f"{prefix}.{first + 1}"


def mm_pair(prefix):
    """Names of a convolution and its normalization inside an OpenMMLab `ConvModule`."""
    return f"{prefix}.conv", f"{prefix}.bn"


def add(xs, name):
    """Sum of tensors, two at a time: an n-ary `Add` keeps float tensors in an int8 graph."""
    total = xs[0]
    for i, x in enumerate(xs[1:], 1):
        total = layers.Add(name=f"{name}.add{i}")([total, x])
    return total


def add_relu(xs, name):
    return layers.Activation("relu", name=f"{name}.relu")(add(xs, name))


def _shortcut(x, filters, name):
    if x.shape[-1] == filters:
        return x
    return conv_bn(x, filters, 1, pair(f"{name}.downsample"))


def basic_block(x, filters, name):
    """Two 3x3 convolutions around a shortcut (He et al. 2016)."""
    y = conv_bn(x, filters, 3, (f"{name}.conv1", f"{name}.bn1"), activation="relu")
    y = conv_bn(y, filters, 3, (f"{name}.conv2", f"{name}.bn2"))
    return add_relu([y, _shortcut(x, filters, name)], name)


def bottleneck(x, planes, name):
    """1x1, 3x3 and 1x1 convolutions around a shortcut; the output has `4 * planes` channels."""
    y = conv_bn(x, planes, 1, (f"{name}.conv1", f"{name}.bn1"), activation="relu")
    y = conv_bn(y, planes, 3, (f"{name}.conv2", f"{name}.bn2"), activation="relu")
    y = conv_bn(y, 4 * planes, 1, (f"{name}.conv3", f"{name}.bn3"))
    return add_relu([y, _shortcut(x, 4 * planes, name)], name)


def conv3x3(x, filters, name, *, stride=1, activation=None):
    """3x3 convolution and normalization: one step of an HRNet transition or exchange path."""
    return conv_bn(x, filters, 3, pair(name), stride=stride, activation=activation)


def separable3x3(x, filters, name, *, stride=1, activation=None):
    """Depthwise 3x3, then pointwise: one step of a Lite-HRNet transition or exchange path."""
    x = depthwise_bn(x, pair(name), stride=stride)
    return conv_bn(x, filters, 1, pair(name, 2), activation=activation)


def nearest(x, levels, like, name):
    """Nearest-neighbour upsampling by `2**levels`, as PyTorch's."""
    return layers.UpSampling2D(2**levels, interpolation="nearest", name=f"{name}.up")(x)


def bilinear(x, levels, like, name):
    """Bilinear upsampling to the size of `like`, pixel centres at halves (align_corners=False)."""
    if None not in like.shape[1:3]:
        return ops.image.resize(x, like.shape[1:3], interpolation="bilinear")
    # Keras 3.15 cannot trace a resize to an unknown size. Nearest upsampling by an even factor and
    # two running means give the same numbers: together the means weight neighbours by distance.
    factor = 2**levels
    x = ops.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="symmetric")
    x = layers.UpSampling2D(factor, interpolation="nearest", name=f"{name}.up")(x)
    x = layers.Cropping2D(factor // 2, name=f"{name}.crop")(x)
    x = layers.AveragePooling2D(factor, 1, name=f"{name}.mean")(x)
    return layers.AveragePooling2D(2, 1, name=f"{name}.mean2")(x)


def channel_shuffle(x, name):
    """Interleave the two halves of the channels (ShuffleNet with two groups)."""
    height, width, channels = x.shape[1:]
    x = layers.Reshape((height, width, 2, channels // 2), name=f"{name}.groups")(x)
    x = layers.Permute((1, 2, 4, 3), name=f"{name}.shuffle")(x)
    return layers.Reshape((height, width, channels), name=f"{name}.merge")(x)


def align_corners(x, levels, like, name):
    """Bilinear resizing to the size of `like`; corner pixels map onto corner pixels.

    TensorFlow 2 has no such operation; two gathers and a blend per axis are exact and need no
    custom layer.
    """
    for axis in (1, 2):
        low, high, weight = _between_corners(extent(x, axis), like, axis)
        weight = ops.reshape(weight, (-1, 1, 1) if axis == 1 else (-1, 1))
        start = ops.take(x, low, axis=axis)
        x = start + (ops.take(x, high, axis=axis) - start) * ops.cast(weight, x.dtype)
    return x


def _between_corners(old, like, axis):
    """For each new cell, the two old ones around it, and the weight of the second."""
    new = extent(like, axis)
    if isinstance(old, int) and isinstance(new, int):
        position = np.arange(new) * ((old - 1) / max(new - 1, 1))
        low = np.minimum(position.astype("int32"), old - 1)
        return low, np.minimum(low + 1, old - 1), (position - low).astype("float32")
    along = tuple(slice(None) if each == axis else 0 for each in range(4))
    index = ops.cast(ops.cumsum(ops.ones_like(like[along], dtype="int32")) - 1, "float32")
    old, new = (ops.cast(each, "float32") for each in (old, new))
    position = index * ((old - 1.0) / ops.maximum(new - 1.0, 1.0))
    low = ops.minimum(ops.floor(position), old - 1.0)
    high = ops.minimum(low + 1.0, old - 1.0)
    return ops.cast(low, "int32"), ops.cast(high, "int32"), position - low
