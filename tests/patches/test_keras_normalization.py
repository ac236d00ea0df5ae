"""Fused batch normalization, against Keras' own."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from hrnet_tf.patches.keras_normalization import fuse

RNG = np.random.default_rng(0)


def network(dtype="float32", **settings):
    image = keras.Input((4, 6, 3))
    norm = keras.layers.BatchNormalization(momentum=0.9, dtype=dtype, name="bn", **settings)
    model = keras.Model(image, norm(image))
    values = (RNG.random(3), RNG.random(3), RNG.normal(size=3), 0.5 + RNG.random(3))
    model.set_weights([np.float32(value) for value in values])
    return model


def step(model, x):
    """Output, gradients and moving statistics of a step with batch statistics."""
    with tf.GradientTape() as tape:
        x = tf.convert_to_tensor(x)
        tape.watch(x)
        y = model(x, training=True)
        loss = tf.reduce_sum(tf.square(tf.cast(y, tf.float32) + tf.cast(x, tf.float32) ** 2))
    norm = model.get_layer("bn")
    sources = [norm.gamma.value, norm.beta.value, x]
    return [y, *tape.gradient(loss, sources), norm.moving_mean, norm.moving_variance]


@pytest.mark.parametrize("synchronized", [False, True])
@pytest.mark.parametrize(
    ("dtype", "atol"), [("float32", 1e-5), ("mixed_float16", 2e-2), ("mixed_bfloat16", 1e-1)]
)
def test_outputs_gradients_and_averages_are_those_of_keras(dtype, atol, synchronized):
    """But for the variance, which is divided by one less than the number of pixels."""
    x = RNG.normal(1, 2, (5, 4, 6, 3)).astype(np.float32)
    plain = network(dtype)
    fused = network(dtype, synchronized=synchronized)
    fused.set_weights(plain.get_weights())
    fuse(fused)
    before = plain.get_layer("bn").moving_variance.numpy()
    wanted, found = step(plain, x), step(fused, x)
    batch = (wanted[-1].numpy() - 0.9 * before) / 0.1
    wanted[-1] = 0.9 * before + 0.1 * batch * 120 / 119
    for one, other in zip(wanted, found, strict=True):
        assert one.dtype == other.dtype
        one, other = (np.asarray(tf.cast(each, tf.float32)) for each in (one, other))
        np.testing.assert_allclose(other / np.abs(one).max(), one / np.abs(one).max(), atol=atol)
    plain.set_weights(fused.get_weights())
    np.testing.assert_array_equal(fused(x), plain(x))


def test_synchronized_variances_are_exact_far_from_zero():
    """The mean of squares less the square of the mean would have no right digit here."""
    x = RNG.normal(5000, 1, (5, 4, 6, 3)).astype(np.float32)
    model = network(synchronized=True)
    fuse(model)
    before = model.get_layer("bn").moving_variance.numpy()
    *_, found = step(model, x)
    wanted = 0.9 * before + 0.1 * np.var(x.astype(np.float64), axis=(0, 1, 2), ddof=1)
    np.testing.assert_allclose(found, wanted, rtol=1e-3)


def test_frozen_layers_stay_as_they_are():
    model = network(trainable=False)
    before = model.get_layer("bn").call
    fuse(model)
    assert model.get_layer("bn").call == before


def test_a_traced_step_has_no_zeros_for_gradients_that_nobody_asks_for():
    """A seventh of the nodes of an HRNet's step; this fails when the patch is needed no more."""
    model = network()
    fuse(model)
    traced = tf.function(lambda x: step(model, x), autograph=False)
    nodes = traced.get_concrete_function(tf.TensorSpec((5, 4, 6, 3))).graph.as_graph_def().node
    kinds = [node.op for node in nodes]
    assert kinds.count("FusedBatchNormGradV3") == 1
    assert "ZerosLike" not in kinds
