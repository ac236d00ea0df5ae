"""Groups of weights with rates and decays of their own."""

import keras
import numpy as np
import tensorflow as tf

from hrnet_tf.training.loop.optimizers import optimizer
from hrnet_tf.training.recipe import load_recipe


def test_biases_of_fcos_have_twice_the_rate_and_no_biases_decay():
    """`bias_lr_mult` 2 and `bias_decay_mult` 0 of mmdetection's page."""
    x = image = keras.Input((4, 4, 3))
    x = keras.layers.BatchNormalization(name="bn")(keras.layers.Conv2D(2, 1, name="conv")(x))
    model = keras.Model(image, x)
    made = optimizer(load_recipe("coco_fcos_w18"), steps=1000)
    made.build(model.trainable_variables)
    for variable in model.trainable_variables:
        variable.assign(tf.ones_like(variable.value))
    made.apply([tf.zeros_like(each.value) for each in model.trainable_variables])
    after = {each.path: each.numpy().ravel()[0] for each in model.trainable_variables}
    step = 0.01 / 3 * 1e-4  # the first rate of the warm-up times the decay
    assert after["conv/bias"] == after["bn/beta"] == 1
    np.testing.assert_allclose(1 - after["conv/kernel"], step, rtol=0.2)
    np.testing.assert_allclose(1 - after["bn/gamma"], step, rtol=0.2)
    factors = {each.path: made.factor(each) for each in model.trainable_variables}
    assert factors == {"conv/kernel": 1, "conv/bias": 2, "bn/gamma": 1, "bn/beta": 1}
