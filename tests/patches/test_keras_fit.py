"""The step of `fit` in one graph, against Keras' own in two."""

import keras
import numpy as np
import tensorflow as tf

from hrnet_tf.patches.keras_fit import trace_once
from hrnet_tf.patches.keras_normalization import fuse


def trained(change):
    """Losses and weights after three epochs of two steps."""
    keras.utils.set_random_seed(0)
    image = keras.Input((4, 6, 3))
    x = keras.layers.Conv2D(4, 3, padding="same")(image)
    x = keras.layers.ReLU()(keras.layers.BatchNormalization()(x))
    model = keras.Model(image, keras.layers.Conv2D(2, 1)(x))
    fuse(model)
    model.compile(keras.optimizers.Adam(1e-2), "mse")
    change(model)
    rng = np.random.default_rng(0)
    pixels = rng.normal(size=(6, 4, 6, 3)).astype("float32")
    maps = rng.normal(size=(6, 4, 6, 2)).astype("float32")
    data = tf.data.Dataset.from_tensor_slices((pixels, maps))
    losses = model.fit(
        data.batch(3).repeat(), epochs=3, steps_per_epoch=2, shuffle=False, verbose=0
    )
    return losses.history["loss"], model.get_weights()


def test_losses_and_weights_are_those_of_keras():
    wanted, found = trained(lambda model: None), trained(trace_once)
    assert found[0] == wanted[0]
    for one, other in zip(wanted[1], found[1], strict=True):
        np.testing.assert_array_equal(other, one)
