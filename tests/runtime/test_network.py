"""Functions of named arrays: names for what has none."""

import keras
import numpy as np
import pytest
from keras import layers

from hrnet_tf.runtime.keras_model import KerasNetwork
from hrnet_tf.runtime.network import ArrayFunction, fixed_size, renamed

IMAGES = np.ones((2, 4, 6, 3), np.float32)


def test_a_function_of_images_becomes_a_network():
    network = ArrayFunction(lambda x: x[..., 0])
    assert network.inputs == {"image": (None, None, 3)} and network.outputs == {}
    assert network({"image": IMAGES})["output"].shape == (2, 4, 6)
    several = ArrayFunction(lambda x: {"a": x, "b": x[0]})
    assert {name: each.shape for name, each in several({"image": IMAGES}).items()} == {
        "a": IMAGES.shape,
        "b": IMAGES.shape[1:],
    }


def test_a_lone_output_takes_the_name_that_its_card_has():
    """Also if the network does not tell its outputs before it is called."""
    for outputs in ({"Identity": (4, 6)}, None):
        network = renamed(ArrayFunction(lambda x: x[..., 0], outputs=outputs), ["heatmaps"])
        assert [*network({"image": IMAGES})] == ["heatmaps"]
        assert network.outputs == ({"heatmaps": (4, 6)} if outputs else {})


def test_several_outputs_keep_their_names():
    network = ArrayFunction(lambda x: {"a": x, "b": x}, outputs={"a": (4,), "b": (4,)})
    assert renamed(network, ["logits"]) is network
    lone = ArrayFunction(lambda x: x, outputs={"logits": (4, 6, 3)})
    assert renamed(lone, ["logits"]) is lone and renamed(lone, ["a", "b"]) is lone


def test_the_size_of_images_is_told_if_there_is_one():
    assert fixed_size(ArrayFunction(lambda x: x, {"image": (4, 6, 3)})) == (4, 6)
    assert fixed_size(ArrayFunction(lambda x: x)) is None
    assert fixed_size(ArrayFunction(lambda x: x, {"image": (4,), "boxes": (2, 4)})) is None


def test_sequential_models_are_networks_and_others_are_refused():
    convolution = layers.Conv2D(2, 1)
    network = KerasNetwork(keras.Sequential([keras.Input((8, 8, 3)), convolution]))
    image = np.ones((1, 8, 8, 3), np.float32)
    assert network.inputs == {"image": (8, 8, 3)} and network.outputs == {"output": (8, 8, 2)}
    np.testing.assert_allclose(network({"image": image})["output"], convolution(image), atol=1e-6)
    with pytest.raises(ValueError, match="Received: unbuilt, a Sequential"):
        KerasNetwork(keras.Sequential([layers.Conv2D(2, 1)], name="unbuilt"))
