"""Keras models with their normalizations folded into the convolutions before them.

At prediction, batch normalization multiplies each channel by a constant and adds another. Both can
be part of the convolution before it; then TensorFlow's CPU kernels add the constants, and apply the
activation, while they write the convolution's result.
"""

from collections import defaultdict
from collections.abc import Callable
from functools import partial

import keras
import numpy as np
from keras import layers, ops

from hrnet_tf.patches.keras_graph import (
    Call,
    all_layers,
    calls,
    flat_inputs,
    has_training,
    inner_model,
    is_masked,
    walk,
)

# Layers that only choose, add or move numbers. TensorFlow traces them in a fifth of the time
# without `Layer.__call__` around them.
PLAIN = (layers.Activation, layers.ReLU, layers.Add, layers.Concatenate)
PLAIN += (layers.ZeroPadding2D, layers.UpSampling2D)


def is_float32(model: keras.Model) -> bool:
    """Whether all layers of a functional model compute in float32."""
    return all(each.dtype_policy.name == "float32" for each in all_layers(model))


def folded(model: keras.Model, frozen: bool, precision: str = "float32") -> Callable:
    """The function that a model computes at prediction, for a backend to compile.

    A normalization is folded where nothing else reads the convolution's result. Other layers are
    called as they are. Layers may be shared, and models may be called as layers. A model that does
    not compute in float32 throughout is computed as Keras does.

    Args:
        model: functional, see `patches.keras_graph.is_functional`.
        frozen: the weights will not change, so they are folded now, once. Otherwise the function
            folds them in each call.
        precision: "float32", or "bfloat16" for convolutions between which there are only other
            convolutions, activations, sums and the like. The last ones and all other layers
            compute in float32, so boxes and scores are not rounded.

    Returns:
        A function of the model's inputs as a flat list. It returns the model's outputs in their
        structure, float32, and equal to Keras' up to the rounding of the precision.
    """
    if not is_float32(model):
        pack = partial(keras.tree.pack_sequence_as, model.input)
        return lambda inputs: model(pack(inputs), training=False)
    reader = _Reader(frozen, precision)
    reader.prepare(model)
    return lambda inputs: _widened(walk(model, _cast(model, inputs), reader))


class _Reader:
    """Computes the calls of a model for `walk`.

    Attributes:
        weights: functions that return kernel and bias of a convolution that is not computed by its
            layer, by the id of the result of its call.
        norms: ids of the results of the normalizations that are folded.
    """

    def __init__(self, frozen, precision):
        self.weights, self.norms = {}, set()
        self._frozen, self._precision = frozen, precision
        self._calls = []  # keeps the tensors whose ids are used

    def prepare(self, model):
        """Finds what is folded in a model and in the models in it."""
        found, readers, norms = [*calls(model)], defaultdict(list), {}
        self._calls += found
        for call in found:
            for tensor in call.inputs:
                readers[id(tensor)].append(call)
        for tensor in model.outputs:
            readers[id(tensor)].append(None)
        for call in found:
            if inner := inner_model(call.operation):
                self.prepare(inner)
            elif len(readers[id(call.outputs[0])]) == 1 and type(call.operation) in CONVOLUTIONS:
                (reader,) = readers[id(call.outputs[0])]
                if reader and _folds(call, reader):
                    norms[call] = reader
        for call in found:
            if type(call.operation) in CONVOLUTIONS and _is_plain(call.operation):
                norm = norms.get(call)
                after = readers[id((norm or call).outputs[0])]
                self._replace(call, norm, self._dtype(after))

    def _dtype(self, readers):
        """The precision of a convolution, by what reads its result."""
        takers = (*PLAIN, *CONVOLUTIONS)
        read = any(each and type(each.operation) in takers for each in readers)
        return self._precision if read else "float32"

    def _replace(self, call, norm, dtype):
        if norm is None and dtype == "float32":
            return
        weights = partial(_weights, call.operation, norm and norm.operation, dtype)
        if self._frozen:
            found = weights()
            if not all(np.isfinite(ops.cast(each, "float32")).all() for each in found):
                return  # Keras shows where such numbers come from
            weights = partial(tuple, found)
        self.weights[id(call.outputs[0])] = weights
        if norm:
            self.norms.add(id(norm.outputs[0]))

    def __call__(self, call: Call, args: tuple, kwargs: dict):
        operation, result = call.operation, id(call.outputs[0])
        given = args[0] if args else kwargs.get("inputs")
        if result in self.norms:
            return given
        if result in self.weights:
            kernel, *bias = self.weights[result]()
            x = CONVOLUTIONS[type(operation)](operation, ops.cast(given, kernel.dtype), kernel)
            return operation.activation(ops.add(x, *bias) if bias else x)
        if type(operation) in PLAIN and not kwargs and not is_masked(args):
            found = _upsampled(operation, *args)
            return operation.call(*args) if found is None else found
        args, kwargs = _widened((args, kwargs))
        if inner := inner_model(operation):
            given = args[0] if args else kwargs["inputs"]
            return walk(inner, _cast(inner, flat_inputs(inner, given)), self)
        if isinstance(operation, layers.Layer) and has_training(operation):
            kwargs = {**kwargs, "training": False}
        return operation(*args, **kwargs)


def _upsampled(layer, x, *_):
    """The result of nearest upsampling by one operation instead of Keras' ten; else None."""
    if type(layer) is not layers.UpSampling2D or layer.data_format != "channels_last":
        return None
    if layer.interpolation != "nearest" or None in x.shape[1:3]:
        return None
    size = [length * factor for length, factor in zip(x.shape[1:3], layer.size, strict=True)]
    return ops.image.resize(x, size, interpolation="nearest", data_format="channels_last")


def _cast(model, tensors):
    """The inputs in the types that the model takes."""
    pairs = zip(tensors, model.inputs, strict=True)
    return [ops.cast(each, wanted.dtype) for each, wanted in pairs]


def _widened(tensors):
    """The same structure with float32 in place of bfloat16."""
    return keras.tree.map_structure(
        lambda x: ops.cast(x, "float32") if getattr(x, "dtype", None) == "bfloat16" else x, tensors
    )


def _is_plain(layer):
    """Whether nothing but its kernel and bias makes the result of a convolution."""
    return layer.data_format == "channels_last" and not getattr(layer, "lora_enabled", False)


def _folds(call, norm):
    """Whether a normalization can be part of the convolution before it."""
    layer, kind, rank = call.operation, type(norm.operation), len(call.outputs[0].shape)
    if kind is not layers.BatchNormalization or len(norm.inputs) != 1 or not _is_plain(layer):
        return False
    linear = layer.activation is keras.activations.linear
    return linear and norm.operation.axis in (-1, rank - 1)


def _convolution(layer, x, kernel):
    return ops.conv(x, kernel, layer.strides, layer.padding, **_settings(layer))


def _depthwise(layer, x, kernel):
    return ops.depthwise_conv(x, kernel, layer.strides, layer.padding, **_settings(layer))


def _transposed(layer, x, kernel):
    settings = {"output_padding": layer.output_padding, **_settings(layer)}
    return ops.conv_transpose(x, kernel, layer.strides, layer.padding, **settings)


def _settings(layer):
    return {"data_format": layer.data_format, "dilation_rate": layer.dilation_rate}


CONVOLUTIONS = {
    layers.Conv2D: _convolution,
    layers.DepthwiseConv2D: _depthwise,
    layers.Conv2DTranspose: _transposed,
}


def _weights(layer, norm, dtype):
    """Kernel and bias, if there is one, of a convolution that also normalizes."""
    kernel, bias = layer.kernel, [layer.bias] if layer.use_bias else []
    if norm is not None:
        scale = ops.rsqrt(norm.moving_variance + norm.epsilon)
        scale = scale * norm.gamma if norm.scale else scale
        mean = norm.moving_mean - bias[0] if bias else norm.moving_mean
        bias = [norm.beta - mean * scale if norm.center else -mean * scale]
        kernel = kernel * _by_channel(layer, scale)
    return [ops.cast(each, dtype) for each in (kernel, *bias)]


def _by_channel(layer, scale):
    """Factors of the channels that a layer returns, in the shape of its kernel's last axes."""
    if type(layer) is layers.DepthwiseConv2D:
        return ops.reshape(scale, layer.kernel.shape[2:])
    return scale[:, None] if type(layer) is layers.Conv2DTranspose else scale
