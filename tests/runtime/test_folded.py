"""Folded normalizations change nothing but the rounding of a network's results."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from hrnet_tf.opening import as_network, open_network
from hrnet_tf.runtime.folded import _Reader
from hrnet_tf.runtime.keras_model import KerasNetwork, compiled, named_outputs

from tiny_networks import NETWORKS, lively, two_inputs

RNG = np.random.default_rng(0)


def norm(**options):
    """A normalization with the numbers of a trained one."""
    numbers = {
        "beta": (-1, 1),
        "gamma": (0.5, 2),
        "moving_mean": (-1, 1),
        "moving_variance": (1, 4),
    }
    for name, (low, high) in numbers.items():
        option = f"{name}_initializer"
        options[option] = keras.initializers.RandomUniform(low, high, seed=len(name))
    return layers.BatchNormalization(**options)


def differences(model, frozen, arrays):
    """The largest difference from Keras in each output, as a share of the output's deviation."""
    given = keras.tree.pack_sequence_as(model.input, [*arrays.values()])
    wanted = named_outputs(model(given, training=False))
    found = KerasNetwork(model, frozen)(arrays)
    assert [*found] == [*wanted]
    for name, each in wanted.items():
        want, found[name] = np.asarray(each), np.asarray(found[name])
        assert found[name].dtype == np.float32 and want.shape == found[name].shape
        found[name] = np.abs(found[name] - want).max() / max(want.std(), 1e-6)
    return found


def folds(model, frozen):
    """How many normalizations are folded."""
    reader = _Reader(frozen, "float32")
    reader.prepare(model)
    return len(reader.norms)


def images(*shape):
    return RNG.random((2, *shape), np.float32)


def every_convolution():
    """Normalizations that can be folded, seven of them."""
    image = keras.Input((16, 12, 3))
    x = layers.ReLU()(norm()(layers.Conv2D(8, 3, 2, "same", bias_initializer="ones")(image)))
    x = norm(scale=False)(layers.Conv2D(8, 3, groups=2, padding="same", use_bias=False)(x))
    x = norm(center=False)(layers.DepthwiseConv2D(3, padding="same", depth_multiplier=2)(x))
    y = norm(epsilon=0.1)(layers.Conv2DTranspose(6, 3, 2, "same", output_padding=1)(x))
    y = norm(axis=3)(layers.Conv2D(6, 3, padding="same", dilation_rate=2)(y))
    shared, twice = layers.Conv2D(6, 1), norm()
    return keras.Model(image, {"a": norm()(shared(y)), "b": twice(shared(ops.relu(y)))}), 7


def no_convolution_to_fold():
    """Normalizations that must stay what they are."""
    image, other = keras.Input((16, 12, 3), name="image"), keras.Input((5,), name="other")
    x = norm()(image)
    x = norm()(layers.Conv2D(12, 3, activation="relu", padding="same")(x))
    x = norm(axis=2)(layers.Conv2D(12, 3, padding="same")(x))
    read_twice = layers.Conv2D(12, 3, padding="same")(x)
    returned = layers.Conv2D(4, 1)(x)
    x = layers.Add()([norm()(read_twice), read_twice])
    x = norm()(layers.SeparableConv2D(6, 3)(x))
    x = norm()(layers.Dense(7)(layers.Concatenate()([layers.Flatten()(x), norm()(other)])))
    outputs = {"x": x, "returned": returned, "normal": norm()(returned)}
    return keras.Model({"image": image, "other": other}, outputs), 0


def nested():
    """A model that is called twice, one in a Sequential, and layers that serve several maps."""
    inside = keras.Input((None, None, 4))
    inner = keras.Model(inside, norm()(layers.Conv2D(4, 3, padding="same")(inside)))
    chain = keras.Sequential([keras.Input((8, 8, 4)), layers.Conv2D(4, 1), norm(), inner])
    image, small = keras.Input((16, 16, 4)), keras.Input((8, 8, 4), dtype="uint8", name="small")
    x, shared, late = inner(image), layers.Conv2D(4, 1), norm()
    y = chain(layers.MaxPooling2D()(x)) + ops.cast(small, "float32")
    return keras.Model([image, small], [late(shared(x)), late(shared(y)), inner(y)]), 4


@pytest.mark.parametrize("frozen", [True, False])
@pytest.mark.parametrize("build", [every_convolution, no_convolution_to_fold, nested])
def test_results_are_those_of_keras(build, frozen):
    model, count = build()
    assert folds(model, frozen) == count
    network = KerasNetwork(model)
    arrays = {name: images(*shape) for name, shape in network.inputs.items()}
    assert max(differences(model, frozen, arrays).values()) < 1e-5


def test_live_networks_follow_their_model():
    """A model may be trained between two calls; one that was read from a file is not."""
    model, _ = every_convolution()
    network, image = as_network(model), {"image": images(16, 12, 3)}
    before = network(image)["a"]
    for layer in model.layers:
        layer.set_weights([2 * each + 0.1 for each in layer.get_weights()])
    assert np.abs(network(image)["a"] - before).max() > 0.1
    assert differences(model, False, image)["a"] < 1e-5


def test_opened_files_are_frozen_and_given_models_are_not(tmp_path):
    model, _ = every_convolution()
    model.save(tmp_path / "model.keras")
    assert open_network(tmp_path / "model.keras").network.frozen
    assert not open_network(model).network.frozen


@pytest.mark.parametrize("frozen", [True, False])
def test_broken_numbers_stay_broken(frozen):
    """A negative variance gives NaN, as in Keras; its neighbours are right."""
    image = keras.Input((8, 8, 3))
    broken, whole = (norm()(layers.Conv2D(2, 1)(image)) for _ in range(2))
    model = keras.Model(image, {"broken": broken, "whole": whole})
    layer = broken._keras_history.operation
    layer.moving_variance.assign([-1.0, 1.0])
    assert folds(model, frozen) == (1 if frozen else 2)
    found = KerasNetwork(model, frozen)({"image": images(8, 8, 3)})
    assert np.isnan(found["broken"][..., 0]).all() and np.isfinite(found["broken"][..., 1]).all()
    assert np.isfinite(found["whole"]).all()


def test_other_precisions_are_computed_as_keras_does():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model, _ = every_convolution()
    finally:
        keras.config.set_dtype_policy("float32")
    image = images(16, 12, 3)
    found = KerasNetwork(model, frozen=True)({"image": image})
    wanted = compiled(lambda x: model(x, training=False), (None, 16, 12, 3))(image)
    for name, each in wanted.items():
        np.testing.assert_array_equal(found[name], ops.convert_to_numpy(each))


def test_masks_and_training_arguments_are_kept():
    """Masked timesteps do not count in a mean, and dropout rests though it was built to work."""
    steps = keras.Input((6, 4))
    x = layers.Activation("relu")(layers.Masking()(steps))
    x = layers.GlobalAveragePooling1D()(x)
    model = keras.Model(steps, layers.Dropout(0.5)(x, training=True))
    array = images(6, 4)
    array[:, 3:] = 0
    assert differences(model, True, {"image": array})["output"] < 1e-6


@pytest.mark.parametrize("name", ["pose", "lite", "ocr", "pyramid"])
def test_networks_of_this_package(name):
    model = lively(NETWORKS[name]())
    assert max(differences(model, True, {"image": images(64, 64, 3)}).values()) < 1e-5


@pytest.mark.parametrize("frozen", [True, False])
def test_bfloat16_rounds_what_lies_between_convolutions(frozen):
    """Results are float32 and near, and are not rounded to 8 bits themselves."""
    for name, build in {"pose": NETWORKS["pose"], "convolutions": every_convolution}.items():
        model = build()[0] if name == "convolutions" else lively(build())
        image = {"image": images(*model.input_shape[1:])}
        wanted = named_outputs(model(image["image"], training=False))
        found = KerasNetwork(model, frozen, "bfloat16")(image)
        for key, each in wanted.items():
            off = np.abs(found[key] - np.asarray(each)).mean() / np.asarray(each).std()
            assert 1e-4 < off < 0.02, (name, key)
            assert (found[key].view(np.uint32) & 0xFFFF).any() and found[key].dtype == np.float32


def test_bfloat16_keeps_coordinates():
    """Numbers that reach no convolution, such as boxes in pixels, are not rounded."""
    model = two_inputs()
    arrays = {"image": images(16, 24, 3), "boxes": 1000 + images(5, 4)}
    found = KerasNetwork(model, True, "bfloat16")(arrays)
    np.testing.assert_allclose(found["rows"], model(arrays)["rows"], rtol=1e-4, atol=1e-2)


def test_precisions_that_a_network_cannot_have_are_refused(tmp_path):
    model = keras.Sequential([keras.Input((8, 8, 3)), layers.Conv2D(2, 1, dtype="float16")])
    with pytest.raises(ValueError, match="`precision` other than float32 needs a network of"):
        KerasNetwork(model, precision="bfloat16")
    with pytest.raises(ValueError, match="`precision` must be float32 or bfloat16"):
        KerasNetwork(model, precision="int8")
    (tmp_path / "model.tflite").touch()
    with pytest.raises(ValueError, match="`precision` goes with a Keras network"):
        open_network(tmp_path / "model.tflite", precision="bfloat16")
