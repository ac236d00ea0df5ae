"""Batch normalization in one operation, for training.

Keras' layer is a dozen operations, and its gradient a dozen more: half the graph of an HRNet, and
each operation reads all pixels. TensorFlow has one fused operation for the layer and one for the
gradient. Results are equal except for the moving variance: the fused operation averages the
unbiased estimate (divided by n - 1), as PyTorch and so the original do; Keras the batch's variance.
"""

from functools import partial

import keras
import tensorflow as tf
from tensorflow.python.eager import record


def fuse(model: keras.Model) -> None:
    """Replaces the batch normalization of a model's trainable, unsynchronized layers.

    Call it before `compile`, and only on a network that is trained: afterwards the model cannot be
    saved as a whole.
    """
    for layer in model.layers:
        norm = isinstance(layer, keras.layers.BatchNormalization)
        if norm and layer.trainable and not layer.synchronized:
            layer.call = partial(_call, layer, layer.call)


def _call(layer, plain, inputs, training=None, mask=None):
    if not training:
        return plain(inputs)
    scale, offset = (
        tf.cast(tf.convert_to_tensor(each.value), tf.float32) for each in (layer.gamma, layer.beta)
    )
    outputs, mean, variance = _normalized(inputs, scale, offset, layer.epsilon)
    for moving, found in ((layer.moving_mean, mean), (layer.moving_variance, variance)):
        tf.raw_ops.ResourceApplyGradientDescent(
            var=moving.value.handle, alpha=1 - layer.momentum, delta=moving.value - found
        )
    return outputs


def _normalized(x, scale, offset, epsilon):
    """The fused operation: its output, of which there is a gradient, and the batch's statistics.

    TensorFlow's tape would make zeros for the gradients of the other five outputs, a seventh of all
    nodes of a training step, only to have them removed.
    """
    with record.stop_recording():
        empty = tf.zeros(0)
        outputs, mean, variance, *reserved = tf.raw_ops.FusedBatchNormV3(
            x=x, scale=scale, offset=offset, mean=empty, variance=empty, epsilon=epsilon
        )

    def gradients(upstream):
        names = ("reserve_space_1", "reserve_space_2", "reserve_space_3")
        reserve = dict(zip(names, reserved, strict=True))
        found = tf.raw_ops.FusedBatchNormGradV3(
            y_backprop=upstream, x=x, scale=scale, epsilon=epsilon, **reserve
        )
        return found[:3]

    record.record_operation("FusedBatchNormV3", [outputs], [x, scale, offset], gradients)
    return outputs, mean, variance
