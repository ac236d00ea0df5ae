"""Batch normalization in one operation, for training, and over several devices.

Keras' layer is a dozen operations, and its gradient a dozen more: half the graph of an HRNet, and
each operation reads all pixels. TensorFlow has one fused operation for the layer and one for the
gradient. Results are equal except for the moving variance: the fused operation averages the
unbiased estimate (divided by n - 1), as PyTorch and so the original do; Keras the batch's variance.

Synchronized layers average the unbiased estimate, too: n is 16 in the coarsest stream for four
crops of 64x64, so Keras' average is 6 % lower than that of one device, and networks that are equal
in training predict otherwise. Keras takes the variance from the mean of squares, which loses the
digits that a mean far from 0 has in common with it, by three sums over all devices; here it is the
mean of squared differences, by two.
"""

from functools import partial

import keras
import tensorflow as tf
from tensorflow.python.eager import record


def fuse(model: keras.Model) -> None:
    """Replaces the batch normalization of a model's trainable layers.

    Call it before `compile`, and only on a network that is trained: afterwards the model cannot be
    saved as a whole.
    """
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization) and layer.trainable:
            call = _together if layer.synchronized else _call
            layer.call = partial(call, layer, layer.call)


def _call(layer, plain, inputs, training=None, mask=None):
    if not training:
        return plain(inputs)
    scale, offset = (
        tf.cast(tf.convert_to_tensor(each.value), tf.float32) for each in (layer.gamma, layer.beta)
    )
    outputs, mean, variance = _normalized(inputs, scale, offset, layer.epsilon)
    _average(layer, mean, variance)
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


def _together(layer, plain, inputs, training=None, mask=None):
    """Normalizes by the statistics of all devices, which have equal parts of the batch."""
    replica = tf.distribute.get_replica_context()
    if not training or replica is None:
        return plain(inputs, training=training)

    def mean_of(x):
        own = tf.reduce_mean(x, axis=tuple(range(x.shape.rank - 1)))
        return replica.all_reduce("MEAN", own)

    x = tf.cast(inputs, tf.float32)
    mean = mean_of(x)
    variance = mean_of(tf.square(x - mean))
    number = tf.cast(tf.size(x) // x.shape[-1] * replica.num_replicas_in_sync, tf.float32)
    _average(layer, mean, variance * (number / tf.maximum(number - 1, 1)))
    beta, gamma = layer.beta.value, layer.gamma.value
    outputs = tf.nn.batch_normalization(x, mean, variance, beta, gamma, layer.epsilon)
    return tf.cast(outputs, layer.compute_dtype)


def _average(layer, mean, variance):
    """Moves the moving statistics of a layer towards those of a batch."""
    for moving, found in ((layer.moving_mean, mean), (layer.moving_variance, variance)):
        tf.raw_ops.ResourceApplyGradientDescent(
            var=moving.value.handle, alpha=1 - layer.momentum, delta=moving.value - found
        )
