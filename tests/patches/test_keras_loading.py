"""Weights that are made when they are first assigned, against Keras' own."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from hrnet_tf.patches.keras_loading import made_when_assigned


def network():
    image = keras.Input((6, 5, 3))
    x = keras.layers.Conv2D(4, 3, name="conv")(image)
    return keras.Model(image, keras.layers.BatchNormalization(name="bn")(x))


def test_a_loaded_network_is_the_saved_one_and_trains(tmp_path):
    saved = network()
    saved.save(tmp_path / "saved.keras")
    with made_when_assigned():
        loaded = keras.models.load_model(tmp_path / "saved.keras")
    for before, after in zip(saved.weights, loaded.weights, strict=True):
        assert (before.path, before.dtype, before.shape) == (after.path, after.dtype, after.shape)
        assert isinstance(after.value, tf.Variable)
        assert after.value.trainable == before.value.trainable
        np.testing.assert_array_equal(before, after)

    loaded.compile(keras.optimizers.SGD(0.1), "mse")
    x = np.ones((2, 6, 5, 3), np.float32)
    loaded.fit(x, np.ones((2, 4, 3, 4), np.float32), verbose=0)
    assert not np.array_equal(loaded.get_layer("conv").kernel, saved.get_layer("conv").kernel)


def test_only_first_values_make_variables():
    with made_when_assigned():
        model = network()
        kernel = model.get_layer("conv").kernel
        kernel.assign(np.full(kernel.shape, 2, np.float32))
        made = kernel.value
        kernel.assign(np.full(kernel.shape, 3, np.float32))
        with pytest.raises(ValueError, match="must match"):
            kernel.assign(np.zeros((1, 2), np.float32))
    assert kernel.value is made
    assert (np.asarray(kernel) == 3).all()


def test_weights_without_a_value_are_initialized_as_by_keras():
    keras.utils.set_random_seed(0)
    expected = [np.asarray(each) for each in network().weights]
    keras.utils.set_random_seed(0)
    with made_when_assigned():
        model = network()
    for before, after in zip(expected, model.weights, strict=True):
        assert isinstance(after.value, tf.Variable)
        np.testing.assert_array_equal(before, after)


def test_after_an_error_variables_are_made_at_once_again():
    with pytest.raises(RuntimeError), made_when_assigned():
        model = network()
        raise RuntimeError
    assert all(isinstance(each.value, tf.Variable) for each in model.weights + network().weights)


def test_blocks_may_lie_in_each_other():
    with made_when_assigned():
        with made_when_assigned():
            inner = network()
        outer = network()
    assert all(isinstance(each.value, tf.Variable) for each in inner.weights + outer.weights)
