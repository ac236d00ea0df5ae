"""Batch normalization in one operation, for training.

Keras' layer is a dozen operations, and its gradient a dozen more: half the graph of an HRNet, and
each operation reads all pixels. TensorFlow has one fused operation for the layer and one for the
gradient. Results are equal except for the moving variance: the fused operation averages the
unbiased estimate (divided by n - 1), as PyTorch and so the original do; Keras the batch's variance.
"""

from functools import partial

import keras
import tensorflow as tf


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
    outputs, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
        x=inputs,
        scale=tf.cast(layer.gamma.value, tf.float32),
        offset=tf.cast(layer.beta.value, tf.float32),
        mean=tf.zeros(0),
        variance=tf.zeros(0),
        epsilon=layer.epsilon,
    )
    for moving, found in ((layer.moving_mean, mean), (layer.moving_variance, variance)):
        tf.raw_ops.ResourceApplyGradientDescent(
            var=moving.value.handle, alpha=1 - layer.momentum, delta=moving.value - found
        )
    return outputs
