"""Groups of weights with rates and decays of their own."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from hrnet_tf.networks.pose import pose
from hrnet_tf.training.loop.optimizers import optimizer
from hrnet_tf.training.recipe import load_recipe
from hrnet_tf.training.task import training_named

from tiny_networks import HRNET, LITE, SHAPE


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


@pytest.mark.parametrize(("spec", "head"), [(HRNET, "v1"), (HRNET, "v2"), (LITE, "v1")])
def test_what_other_keypoints_replace_is_the_head_of_a_pose_network(spec, head):
    """`head_rate` is for layers that a checkpoint with other keypoints or of ImageNet lacks."""
    few, many = (pose(spec, SHAPE, count, head=head) for count in (3, 5))
    is_head = training_named("pose").is_head
    changed = [
        one.name
        for one, other in zip(few.layers, many.layers, strict=True)
        if [each.shape for each in one.weights] != [each.shape for each in other.weights]
    ]
    assert changed and all(map(is_head, changed))
    heads = {layer.name for layer in few.layers if layer.weights and is_head(layer.name)}
    assert not [name for name in heads if name.startswith(("conv", "bn", "layer1", "stage"))]
