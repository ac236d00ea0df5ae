"""Whole training steps against the original's: loss, gradients, statistics, updated weights."""

import json

import numpy as np
import pytest
import tensorflow as tf

import hrnet_tf
from hrnet_tf.patches.keras_normalization import fuse
from hrnet_tf.patches.keras_sgd import SGD
from hrnet_tf.training.recipe import load_recipe
from hrnet_tf.training.segmentation.losses import loss

from golden import rule
from places import FIXTURES

FOLDER = FIXTURES / "train_step_seg"
CONFIG = json.loads((FOLDER / "meta.json").read_text())["config"]
KEYS = json.loads((FIXTURES / CONFIG["model_config"] / "keys.json").read_text())
TRAINED = [key for key, *_ in KEYS if not key.endswith(("_mean", "_var", "tracked"))]


@pytest.fixture(scope="module")
def steps():
    """The network after three steps, and what each step and the first one's gradients were."""
    *_, height, width = CONFIG["input_shape_nchw"]
    model = hrnet_tf.segmentation("w18_small_v2", 19, (height, width, 3))
    hrnet_tf.load_checkpoint(model, rule.weights(KEYS, CONFIG["gamma_gain"]))
    fuse(model)
    recipe = load_recipe("cityscapes_w18_small_v2")
    optimizer, criterion = SGD(0.01, momentum=0.9, decay=5e-4), loss(recipe)
    image = rule.model_input(CONFIG["input_name"], CONFIG["input_shape_nchw"])
    image = tf.constant(image.transpose(0, 2, 3, 1))
    with np.load(FOLDER / "data.npz") as data:
        data = dict(data)
    optimizer.build(model.trainable_variables)

    @tf.function(autograph=False)
    def step():
        with tf.GradientTape() as tape:
            output = model(image, training=True)
            value = criterion(data["label"], output)
        gradients = tape.gradient(value, [each.value for each in model.trainable_variables])
        optimizer.apply(gradients)
        return value, output, gradients

    found, first = [], None
    for number in range(3):
        value, output, gradients = step()
        found.append(float(value))
        if not number:
            names = [variable.path for variable in model.trainable_variables]
            first = output.numpy(), dict(zip(names, map(np.array, gradients), strict=True))
            after = {variable.path: np.array(variable) for variable in model.variables}
    return found, first, after, data


def pytorch(key, arrays):
    """The array of a PyTorch parameter among Keras' by path, in PyTorch's layout."""
    layer, _, name = key.rpartition(".")
    names = {"weight": ("kernel", "gamma"), "bias": ("bias", "beta")}.get(name, (f"moving_{name}",))
    (found,) = (arrays[path] for each in names if (path := f"{layer}/{each}") in arrays)
    return found.transpose(3, 2, 0, 1) if found.ndim == 4 else found


def test_losses_and_output(steps):
    losses, (output, _), _, data = steps
    for ours, theirs, rtol in zip(losses, data["losses"], (1e-5, 1e-2, 5e-2), strict=True):
        assert ours == pytest.approx(theirs, rel=rtol)
    ours = np.moveaxis(output, -1, 1).ravel()[:: CONFIG["output_stride"]]
    assert np.abs(ours - data["output"]).max() < 1e-3 * data["output"].std()


def test_gradients(steps):
    _, (_, gradients), _, data = steps
    norms = np.array([np.linalg.norm(pytorch(key, gradients)) for key in TRAINED])
    silent = [TRAINED.index(key) for key in CONFIG["parameters_without_gradient"]]
    wanted = data["grad_norm"].copy()
    norms[silent] = wanted[silent] = 1.0  # rounding errors; normalization removes this bias
    np.testing.assert_allclose(norms, wanted, rtol=2e-2)
    for name in (each for each in data if each.startswith("grad/")):
        theirs = data[name]
        ours = pytorch(name.removeprefix("grad/"), gradients).ravel()[: len(theirs)]
        assert np.linalg.norm(ours - theirs) < 5e-2 * np.linalg.norm(theirs), name


def test_weights_and_statistics_after_the_step(steps):
    _, _, after, data = steps
    for number, key in enumerate(TRAINED):
        ours = pytorch(key, after).ravel()[:3]
        np.testing.assert_allclose(ours, data["params_after_step"][number][: len(ours)], atol=1e-4)
    means = [key for key, *_ in KEYS if key.endswith("running_mean")]
    for name, rtol in (("running_mean", 0), ("running_var", 3e-5)):
        for number, key in enumerate(means):
            layer = key.removesuffix("running_mean")
            ours = after[f"{layer.rstrip('.')}/moving_{'variance' if rtol else 'mean'}"][:4]
            np.testing.assert_allclose(ours, data[name][number][: len(ours)], rtol=rtol, atol=3e-5)


def test_the_recipe_trains_by_this_optimizer():
    recipe = load_recipe("cityscapes_w18_small_v2")
    values = (recipe.optimizer, recipe.learning_rate, recipe.momentum, recipe.weight_decay)
    assert values == ("sgd", 0.01, 0.9, 5e-4) and recipe.power == 0.9
