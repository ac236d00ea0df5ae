"""SGD against PyTorch's, and its weights under accumulation, clipping and averages."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from hrnet_tf.patches.keras_sgd import SGD

from places import FIXTURES


@pytest.fixture(scope="module")
def golden():
    return np.load(FIXTURES / "schedules" / "data.npz")


@pytest.mark.parametrize(
    ("name", "nesterov", "decay"),
    [("sgd_momentum_wd", False, 5e-4), ("sgd_nesterov_wd", True, 1e-4)],
)
def test_updates_are_those_of_pytorch_while_the_rate_changes(golden, name, nesterov, decay):
    weight = keras.Variable(golden[f"{name}/start"].astype(np.float32), name="weight")
    optimizer = SGD(0.1, 0.9, nesterov, decay=decay)
    optimizer.build([weight])
    steps = zip(golden[f"{name}/grads"], golden[f"{name}/lrs"], strict=True)
    for (grad, rate), wanted in zip(steps, golden[f"{name}/params"], strict=True):
        optimizer.learning_rate = rate
        optimizer.apply([tf.constant(grad, tf.float32)])
        np.testing.assert_allclose(weight, wanted, atol=1e-6)


def test_decay_is_not_clipped_and_counts_once_per_update():
    """As in PyTorch, where gradients are clipped before the optimizer adds the decay."""
    weight = keras.Variable([2.0], name="weight")
    optimizer = SGD(
        1.0,
        decay=0.25,
        global_clipnorm=0.5,
        gradient_accumulation_steps=2,
        use_ema=True,
        ema_momentum=0.5,
    )
    optimizer.build([weight])
    for _ in range(4):
        optimizer.apply([tf.constant([8.0])])
    # 2 - (0.5 + 0.5) = 1, then 1 - (0.5 + 0.25) = 0.25
    np.testing.assert_allclose(weight, [0.25], rtol=1e-6)
    np.testing.assert_allclose(optimizer.averages()["weight"], [0.625], rtol=1e-6)


def test_without_momentum_and_in_its_config():
    weight = keras.Variable([1.0], name="weight")
    optimizer = SGD.from_config(SGD(0.5, decay=0.1).get_config())
    optimizer.build([weight])
    optimizer.apply([tf.constant([1.0])])
    np.testing.assert_allclose(weight, [0.45], rtol=1e-6)


def test_a_group_of_weights_has_a_rate_of_its_own():
    body, head = keras.Variable([1.0], name="body"), keras.Variable([1.0], name="head")
    optimizer = SGD(0.1)
    optimizer.factor = lambda each: 10.0 if each.name == "head" else 1.0
    optimizer.build([body, head])
    optimizer.apply([tf.constant([0.5]), tf.constant([0.5])])
    np.testing.assert_allclose([body[0], head[0]], [0.95, 0.5], rtol=1e-6)
