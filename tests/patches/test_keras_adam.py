"""Adam in TensorFlow's own operations, against Keras' Adam."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from hrnet_tf.patches.keras_adam import Adam

EVERYTHING = {
    "global_clipnorm": 0.5,
    "weight_decay": 0.1,
    "gradient_accumulation_steps": 2,
    "use_ema": True,
    "ema_momentum": 0.8,
}


def trained(kind, dtype="float32", steps=8, **settings):
    """A small network after some steps, while the rate falls."""
    keras.utils.set_random_seed(0)
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(4 * steps, 4)), rng.normal(size=(4 * steps, 3))
    layers = [keras.layers.Dense(8, "relu", dtype=dtype), keras.layers.BatchNormalization()]
    model = keras.Sequential([keras.Input((4,)), *layers, keras.layers.Dense(3)])
    optimizer = kind(keras.optimizers.schedules.CosineDecay(0.05, steps), epsilon=1e-8, **settings)
    if dtype == "mixed_float16":
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer, initial_scale=1024.0)
    model.compile(optimizer, "mse", jit_compile=False)
    data = tf.data.Dataset.from_tensor_slices((x.astype("f"), y.astype("f"))).batch(4)
    model.fit(data, shuffle=False, verbose=0)
    return model


@pytest.mark.parametrize("dtype", ["float32", "mixed_float16", "mixed_bfloat16"])
@pytest.mark.parametrize("settings", [{}, EVERYTHING], ids=["plain", "everything"])
def test_updates_are_those_of_keras(settings, dtype):
    """Momentum and velocity, too; the averages differ on purpose, see below."""
    settings = settings | {"use_ema": False}
    # Half precision rounds differences up: 1.2e-3 was seen on a processor with AVX-512.
    atol = 1e-6 if dtype == "float32" else 2e-3
    models = [trained(kind, dtype, **settings) for kind in (Adam, keras.optimizers.Adam)]
    variables = [[*model.variables, *model.optimizer.variables] for model in models]
    for ours, theirs in zip(*variables, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=atol, err_msg=ours.name)


def test_averages_without_accumulation_are_those_of_keras():
    settings = {"use_ema": True, "ema_momentum": 0.8}
    one, other = (trained(kind, **settings) for kind in (keras.optimizers.Adam, Adam))
    # At the end of `fit` Keras has put its averages in place of the weights.
    averages = other.optimizer.averages()
    for variable, theirs in zip(other.trainable_variables, one.trainable_variables, strict=True):
        np.testing.assert_allclose(averages[variable.path], theirs, rtol=2e-4, atol=2e-6)
        assert not np.array_equal(averages[variable.path], variable)


def test_averages_count_updates_not_batches():
    """Of weights 1, 2, 3 after updates the average with momentum 0.5 is 2.25, however they came."""
    for every in (1, 3):
        weight = keras.Variable([0.0], name="weight")
        optimizer = Adam(
            1.0,
            beta_1=0.0,
            beta_2=0.0,
            epsilon=0.0,
            use_ema=True,
            ema_momentum=0.5,
            gradient_accumulation_steps=every if every > 1 else None,
        )
        optimizer.build([weight])
        for _ in range(3 * every):
            optimizer.apply([tf.constant([-1.0])])
        np.testing.assert_allclose(weight, [3.0], rtol=1e-6)
        np.testing.assert_allclose(optimizer.averages()["weight"], [2.25], rtol=1e-6)
