"""Batch normalization in one operation, for training.

Keras writes it as a dozen operations and as many for the gradient: half the graph of an HRNet, and
each reads all pixels. TensorFlow has one operation for either. What it computes is the same; only
the moving variance is that of the population, as in PyTorch and so in the original, and not that of
the batch.
"""

from functools import partial

import keras
import tensorflow as tf


def fuse(model: keras.Model) -> None:
    """Before `compile`: gives layers that learn and do not synchronize the fused operation.

    For a network of this package that is trained; it cannot be saved as a whole any more.
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
