"""Quantization-aware training: it learns, what it learned goes back, and the file has it."""

import dataclasses

import keras
import numpy as np
import pytest

from hrnet_tf.convert.graph.compute import own_weights
from hrnet_tf.convert.graph.fold import fold_norms, merge_resizes
from hrnet_tf.convert.graph.read import read_graph
from hrnet_tf.convert.integers import aware as quantize_aware
from hrnet_tf.convert.integers.aware import fine_tune, qat_recipe, with_weights
from hrnet_tf.convert.integers.plan import plan
from hrnet_tf.convert.source import Source
from hrnet_tf.networks.pose import pose
from hrnet_tf.training.pose.batches import batches
from hrnet_tf.training.pose.source import training_people

import tiny_training
from tiny_networks import HRNET, LITE, NAIVE, SHAPE, difference, lively, simulated

CROPS = np.random.default_rng(1).normal(size=(4, *SHAPE)).astype("float32")
EXAMPLES = {"image": CROPS}


def graph_of(model):
    return merge_resizes(fold_norms(read_graph(model)))


@pytest.mark.parametrize("spec", [HRNET, LITE, NAIVE])
def test_weights_of_a_plan_go_back_into_the_network(spec):
    """Equalized, and without scales of normalization, they compute what the network computed."""
    model = lively(pose(spec, SHAPE))
    graph = graph_of(model)
    weights = plan(graph, "int8", EXAMPLES).weights
    changed = with_weights(model, weights)
    again = graph_of(changed)
    for node, twin in zip(graph.nodes, again.nodes, strict=True):
        for name, value in own_weights(again).get(twin, {}).items():
            np.testing.assert_allclose(value, weights[node][name], rtol=1e-5, atol=1e-6)
    plain = with_weights(model, own_weights(graph))
    assert difference(plain(CROPS), model(CROPS)) < 1e-5


def test_training_brings_int8_nearer_to_the_network(tmp_path, monkeypatch):
    """In the simulation, and so in the file (tests/test_quantize.py), on the crops trained on.

    Biases start beside where they should be, as an int8 network has them whose channels all err.
    """
    recipe = tiny_training.write_recipe(tmp_path, **tiny_training.PLAIN, batch_size=5)
    model = lively(tiny_training.network("w18", SHAPE, 17, "v1"))
    source = Source(model, None, recipe.card, "tiny.keras", "")
    recipe = qat_recipe(recipe, source, epochs=60, learning_rate=1e-3)
    assert recipe.learning_rate == 1e-3 and not recipe.ema and recipe.weights == "tiny.keras"
    recipe = dataclasses.replace(recipe, weights="")
    crops = np.concatenate(
        [batch[0] for batch in batches(training_people(recipe), recipe, augment=False)]
    )
    examples = {"image": crops}
    shifted = _shifted(plan(graph_of(model), "int8", examples))
    monkeypatch.setattr(quantize_aware, "make_plan", lambda *_: shifted)

    path = fine_tune(source, examples, recipe, tmp_path / "run")

    trained = keras.models.load_model(path)
    assert {type(layer) for layer in trained.layers} == {type(layer) for layer in model.layers}
    after = _error(model, plan(graph_of(trained), "int8_min_max", examples), crops)
    assert after < 0.1 * _error(model, shifted, crops)  # what rounding costs stays
    changed = path.stat().st_mtime_ns
    assert fine_tune(source, examples, recipe, tmp_path / "run", overwrite=True) == path
    assert path.stat().st_mtime_ns == changed  # a finished run is taken as it is
    with pytest.raises(FileExistsError, match="another recipe"):
        fine_tune(source, examples, dataclasses.replace(recipe, epochs=1), tmp_path / "run")


def test_what_cannot_go_back_is_refused_before_training(tmp_path):
    image = keras.Input(SHAPE)
    model = keras.Model(image, keras.layers.Conv2D(17, 1, use_bias=False, name="head")(image))
    recipe = tiny_training.write_recipe(tmp_path, **tiny_training.PLAIN)
    source = Source(model, None, recipe.card, "tiny.keras", "")
    with pytest.raises(ValueError, match="head: has neither bias nor normalization"):
        fine_tune(source, EXAMPLES, recipe, tmp_path / "run")


def _shifted(found):
    rng, weights = np.random.default_rng(0), {}
    for node, values in found.weights.items():
        unit = quantize_aware.units(found)[node]["bias"]
        shift = 0.02 * unit * rng.normal(size=values["bias"].shape)
        weights[node] = {**values, "bias": (values["bias"] + shift).astype("float32")}
    return dataclasses.replace(found, weights=weights)


def _error(model, found, crops):
    (answers,) = simulated(found, {"image": crops}).values()
    return np.square(answers - np.asarray(model(crops, training=False))).mean()
