"""Keras models with their normalizations folded into the convolutions before them.

At prediction, batch normalization multiplies each channel by a constant and adds another. Both can
be part of the convolution before it; then TensorFlow's CPU kernels add the constants, and apply the
activation, while they write the convolution's result.
"""

from collections import Counter
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


def folded(model: keras.Model, frozen: bool) -> Callable:
    """The function that a model computes at prediction, for a backend to compile.

    A normalization is folded where nothing else reads the convolution's result. Other layers are
    called as they are. Layers may be shared, and models may be called as layers. A model that does
    not compute in float32 throughout is computed as Keras does.

    Args:
        model: functional, see `patches.keras_graph.is_functional`.
        frozen: the weights will not change, so they are folded now, once. Otherwise the function
            folds them in each call.

    Returns:
        A function of the model's inputs as a flat list. It returns the model's outputs in their
        structure, equal to Keras' up to the rounding of float32.
    """
    if not all(each.dtype_policy.name == "float32" for each in all_layers(model)):
        pack = partial(keras.tree.pack_sequence_as, model.input)
        return lambda inputs: model(pack(inputs), training=False)
    reader = _Reader(model, frozen)
    return lambda inputs: walk(model, _cast(model, inputs), reader)


class _Reader:
    """Computes the calls of a model for `walk`.

    Attributes:
        weights: functions that return kernel and bias of a folded convolution, by the id of the
            result of its call.
        norms: ids of the results of the normalizations that are folded.
    """

    def __init__(self, model, frozen):
        self.weights, self.norms = {}, set()
        self._frozen, self._calls = frozen, []
        self._fold(model)

    def _fold(self, model):
        found = [*calls(model)]
        self._calls += found  # keeps what has the ids
        readers = Counter(id(each) for call in found for each in call.inputs)
        readers.update(map(id, model.outputs))
        convolutions = {id(each.outputs[0]): each for each in found if _takes_norm(each.operation)}
        for call in found:
            if inner := inner_model(call.operation):
                self._fold(inner)
            elif type(call.operation) is layers.BatchNormalization and len(call.inputs) == 1:
                source = id(call.inputs[0])
                if readers[source] == 1 and source in convolutions:
                    self._fold_pair(convolutions[source], call)

    def _fold_pair(self, convolution, norm):
        (result,) = convolution.outputs
        if norm.operation.axis not in (-1, len(result.shape) - 1):
            return
        weights = partial(_weights, convolution.operation, norm.operation)
        if self._frozen:
            found = weights()
            if not all(np.isfinite(each).all() for each in found):
                return  # Keras shows where such numbers come from
            weights = partial(tuple, found)
        self.weights[id(result)] = weights
        self.norms.add(id(norm.outputs[0]))

    def __call__(self, call: Call, args: tuple, kwargs: dict):
        operation, result = call.operation, id(call.outputs[0])
        given = args[0] if args else kwargs.get("inputs")
        if inner := inner_model(operation):
            return walk(inner, _cast(inner, flat_inputs(inner, given)), self)
        if result in self.norms:
            return given
        if result in self.weights:
            kernel, bias = self.weights[result]()
            return ops.add(CONVOLUTIONS[type(operation)](operation, given, kernel), bias)
        if type(operation) in PLAIN and not kwargs and not is_masked(args):
            return operation.call(*args)
        if isinstance(operation, layers.Layer) and has_training(operation):
            kwargs = {**kwargs, "training": False}
        return operation(*args, **kwargs)


def _cast(model, tensors):
    """The inputs in the types that the model takes."""
    pairs = zip(tensors, model.inputs, strict=True)
    return [ops.cast(each, wanted.dtype) for each, wanted in pairs]


def _takes_norm(layer):
    """Whether a layer is a convolution whose weights, and nothing else, make its result."""
    return (
        type(layer) in CONVOLUTIONS
        and layer.activation is keras.activations.linear
        and layer.data_format == "channels_last"
        and not getattr(layer, "lora_enabled", False)
    )


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


def _weights(layer, norm):
    """Kernel and bias of a convolution that also normalizes."""
    scale = ops.rsqrt(norm.moving_variance + norm.epsilon)
    scale = scale * norm.gamma if norm.scale else scale
    mean = norm.moving_mean - layer.bias if layer.use_bias else norm.moving_mean
    bias = norm.beta - mean * scale if norm.center else -mean * scale
    return layer.kernel * _by_channel(layer, scale), bias


def _by_channel(layer, scale):
    """Factors of the channels that a layer returns, in the shape of its kernel's last axes."""
    if type(layer) is layers.DepthwiseConv2D:
        return ops.reshape(scale, layer.kernel.shape[2:])
    return scale[:, None] if type(layer) is layers.Conv2DTranspose else scale
