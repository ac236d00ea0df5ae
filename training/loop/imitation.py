"""Distillation: a network is trained to give the outputs of another one, its teacher."""

import keras
import tensorflow as tf
from keras import ops


class Imitation(keras.losses.Loss):
    """The distance between outputs and the teacher's outputs.

    Its targets `y_true` must be the inputs, as `to_imitate` makes them.

    Args:
        teacher: maps inputs to outputs; it is not trained.
        distance: a loss between two outputs.
    """

    def __init__(self, teacher: keras.Model, distance: keras.losses.Loss):
        super().__init__(name="imitation", dtype="float32")
        teacher.trainable = False
        self.teacher, self.distance = teacher, distance

    def call(self, y_true, y_pred):
        return self.distance.call(self.teacher(y_true, training=False), y_pred)


def to_imitate(batches: tf.data.Dataset) -> tf.data.Dataset:
    """Replaces the targets of (inputs, targets, weights) batches by the inputs, weights by 1."""

    def imitate(inputs, _, weights):
        return inputs, inputs, ops.ones_like(keras.tree.flatten(weights)[0])

    return batches.map(imitate)
