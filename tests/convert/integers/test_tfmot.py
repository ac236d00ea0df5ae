"""Training by tensorflow-model-optimization: the same data and loss, another library's network."""

import json
import sys

import keras
import numpy as np
import pytest
from keras import layers

import hrnet_tf
from hrnet_tf import cli
from hrnet_tf.cards.files import save_model
from hrnet_tf.convert.integers.plan import plan
from hrnet_tf.convert.options import Options, default_output
from hrnet_tf.convert.source import open_source
from hrnet_tf.convert.to_tflite import to_tflite
from hrnet_tf.runtime.converted import open_converted

import tiny_training
from tiny_networks import lively

SHAPE = (64, 64, 3)
CROPS = np.random.default_rng(1).normal(size=(4, *SHAPE)).astype("float32")


@pytest.fixture
def installed():
    reason = 'needs `pip install -e ".[tfmot]"`'
    pytest.importorskip("tensorflow_model_optimization", reason=reason)


def network():
    """A few layers of each kind that HRNets and lite ones have; wrapping one takes a while."""
    image = keras.Input(SHAPE)
    x = layers.BatchNormalization()(layers.Conv2D(8, 8, 4, padding="same")(image))
    x = layers.ReLU()(x)
    y = layers.DepthwiseConv2D(3, padding="same", use_bias=False)(x)
    x = layers.ReLU()(layers.Add()([x, layers.BatchNormalization()(y)]))
    gate = layers.Conv2D(8, 1, activation="sigmoid")(keras.ops.mean(x, (1, 2), keepdims=True))
    y = layers.UpSampling2D(2)(layers.MaxPooling2D(2)(layers.Multiply()([x, gate])))
    x = layers.Concatenate()([x, y])
    return lively(keras.Model(image, layers.Conv2D(17, 1, name="final_layer")(x)))


def write_network(folder):
    """The network with its card and recipe, in `folder`."""
    recipe = tiny_training.write_recipe(folder, **tiny_training.PLAIN, batch_size=5)
    path = folder / "model.keras"
    save_model(network(), recipe.card, path)
    (folder / "recipe.json").write_text(recipe.to_json())
    return path


def test_a_tiny_network_becomes_a_file_of_integers_that_predicts(tmp_path, installed, capsys):
    """One pass at a tiny rate: the file must answer nearly as the network does."""
    path, said = write_network(tmp_path), []
    options = Options("int8", qat=True, qat_by="tfmot", qat_epochs=1, qat_rate=1e-9, count=8)
    file = to_tflite(path, options=options, report=said.append)
    assert file == tmp_path / "model_qat_tfmot_int8.tflite"
    assert any(line.startswith("Epoch 1 of 1: loss ") for line in said)
    card = json.loads(file.with_suffix(".json").read_text())
    assert card["input"]["dtype"] == card["output"]["dtype"] == "int8"
    assert card["conversion"]["training"]["by"] == "tensorflow-model-optimization"
    (wanted,) = open_source(path)({"image": CROPS}).values()
    (found,) = open_converted(file)({"image": CROPS}).values()
    assert np.abs(found - wanted).mean() < 0.15 * wanted.std()
    picture = np.zeros((50, 40, 3), np.uint8)
    assert hrnet_tf.predictor(file)(picture) is not None


def test_every_kernel_is_rounded_and_depthwise_ones_by_channel(installed):
    """By itself the library leaves some kernels out, and gives depthwise ones a single scale."""
    from hrnet_tf.convert.integers.tfmot import quantized_network

    graph = open_source(network()).graph
    found = quantized_network(plan(graph, "int8_min_max", {"image": CROPS}))
    found(CROPS, training=True)
    lows = [each.numpy() for each in found.weights if "kernel_min" in each.name]
    assert len(lows) == sum("kernel" in node.weights for node in graph.nodes)
    assert all(len(set(low)) == len(low) > 1 and (low != -6).all() for low in lows)


def test_a_layer_that_keras_computes_is_refused_by_name(installed):
    from hrnet_tf.convert.integers.tfmot import quantized_network

    image = keras.Input(SHAPE)
    x = layers.UnitNormalization(name="unit")(layers.Conv2D(4, 3)(image))
    graph = open_source(keras.Model(image, x)).graph
    with pytest.raises(ValueError, match=r"^unit: .* cannot take this layer, a UnitNormalization"):
        quantized_network(plan(graph, "int8_min_max", {"image": CROPS}))


def test_without_the_library_one_sentence_says_how_to_get_it(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "tensorflow_model_optimization", None)
    words = ["convert", f"--model={write_network(tmp_path)}", "--qat", "--qat_by=tfmot"]
    assert cli.main(words) == 1
    assert 'not installed: `pip install -e ".[tfmot]"`.' in capsys.readouterr().err
    assert not [*tmp_path.glob("*.tflite")]


def test_what_does_not_go_together_is_refused(tmp_path, capsys):
    assert cli.main(["convert", "--int8", "--qat_by=tfmot"]) == 2
    assert "`--qat_by` goes with --qat" in capsys.readouterr().err
    words = ["convert", "--qat", "--qat_by=tfmot", "--precision=int8_float_head"]
    assert cli.main([*words, f"--model={write_network(tmp_path)}"]) == 1
    assert "Choose int8." in capsys.readouterr().err
    ours, theirs = (Options("int8", qat=True, qat_by=each) for each in ("ours", "tfmot"))
    assert default_output("a.keras", ours) != default_output("a.keras", theirs)
