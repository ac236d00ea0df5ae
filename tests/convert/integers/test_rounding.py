"""Kernels rounded so that their errors cancel: the arithmetic, and what it is worth."""

import numpy as np
import pytest
import tensorflow as tf

from hrnet_tf.convert.graph.compute import apply, own_weights
from hrnet_tf.convert.graph.nodes import Node
from hrnet_tf.convert.integers import rounding
from hrnet_tf.convert.integers.rounding import compensated, round_in_turn
from hrnet_tf.convert.integers.simulate import Plan, quantized_kernel
from hrnet_tf.networks.pose import pose

from tiny_networks import HRNET, SHAPE, graph_of, lively, run, simulated, vector


@pytest.fixture(scope="module")
def graph():
    return graph_of(lively(pose(HRNET, SHAPE)))


@pytest.fixture(scope="module")
def crops():
    """Smooth, as photos are: their pixels move together. The left of some is padding."""
    rng = np.random.default_rng(1)
    crops = tf.image.resize(rng.normal(size=(12, 6, 6, 3)), SHAPE[:2], "bicubic").numpy()
    crops = np.clip(crops, -2, 2)
    crops[:3, :, :20] = -2.1
    return {"image": crops}


def conv(groups=1, size=(3, 3), strides=(1, 1), padding="same", dilation=(1, 1), shape=(9, 8, 4)):
    rng = np.random.default_rng(0)
    settings = {"strides": strides, "padding": padding, "dilation": dilation, "groups": groups}
    kernel = rng.normal(size=(*size, shape[-1] // groups, 6)).astype("float32")
    weights = {"kernel": kernel, "bias": np.zeros(6, "float32")}
    return placed(Node("conv", "conv", [], (), settings, weights), shape)


def depthwise(multiplier=1, strides=(1, 1), padding="same"):
    kernel = np.random.default_rng(0).normal(size=(3, 3, 4, multiplier)).astype("float32")
    weights = {"kernel": kernel, "bias": np.zeros(4 * multiplier, "float32")}
    settings = {"strides": strides, "padding": padding}
    return placed(Node("depthwise", "depthwise", [], (), settings, weights), (9, 8, 4))


def dense():
    kernel = np.random.default_rng(0).normal(size=(5, 3)).astype("float32")
    return placed(Node("dense", "dense", [], (), {}, {"kernel": kernel, "bias": kernel[0]}), (5,))


def placed(node, shape):
    node.inputs = [Node("input", "image", [], shape)]
    node.shape = tuple(apply(node, node.weights, [tf.zeros((1, *shape))]).shape[1:])
    return node


@pytest.mark.parametrize(
    "node",
    [
        conv(),
        conv(size=(1, 1), strides=(2, 2)),
        conv(strides=(2, 2)),
        conv(strides=(2, 1), padding="valid", shape=(12, 9, 4)),
        conv(dilation=(2, 2)),
        conv(groups=2),
        depthwise(),
        depthwise(2, (2, 2), "valid"),
        dense(),
    ],
    ids=lambda node: f"{node.kind} {node.settings}",
)
def test_a_layer_of_exact_steps_stays_and_others_keep_their_mean(node):
    """Whatever the layout of its kernel: the mean of its result tells if patches belong to it."""
    rng = np.random.default_rng(0)
    x = tf.constant(rng.normal(1, 1, (4, *node.inputs[0].shape)).astype("float32"))
    share = np.full(4, 0.25, "float32")
    found = rounding._compensated(node, node.weights, x, share)
    wanted = apply(node, node.weights, [x]).numpy()
    result = apply(node, found, [x]).numpy()
    axes = tuple(range(wanted.ndim - 1))
    assert 0 < np.abs(result - wanted).max() < 0.3
    np.testing.assert_allclose(result.mean(axes), wanted.mean(axes), atol=1e-4)
    # Rounding changes them no more, here or in TFLite's converter.
    np.testing.assert_allclose(quantized_kernel(node, found["kernel"]), found["kernel"], rtol=1e-5)
    again = rounding._compensated(node, found, x, share)
    np.testing.assert_allclose(again["kernel"], found["kernel"], rtol=1e-5)


def test_errors_cancel_where_inputs_move_together():
    """Against rounding to the nearest, by the power that errors leave in the result."""
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(2, 500, 3)) @ rng.normal(size=(2, 3, 40))
    inputs += 0.1 * rng.normal(size=inputs.shape)
    rows = rng.normal(size=(2, 40, 8)).astype("float32")
    found = round_in_turn(np.swapaxes(inputs, 1, 2) @ inputs / 500, rows)
    step = np.abs(rows).max(1, keepdims=True) / 127
    nearest = np.rint(rows / step) * step
    assert ((inputs @ (found - rows)) ** 2).mean() < 0.1 * ((inputs @ (nearest - rows)) ** 2).mean()
    assert np.abs(found / step - np.rint(found / step)).max() < 1e-3
    np.testing.assert_array_equal(np.abs(found).max(1), np.abs(rows).max(1))


def test_dead_channels_and_constant_inputs_are_nothing_special():
    rows = np.array([[[1.0, 0.0], [0.3, 0.0]]], "float32")
    found = round_in_turn(np.zeros((1, 2, 2)), rows)
    np.testing.assert_allclose(found, [[[1, 0], [38 / 127, 0]]], atol=1e-6)


def test_a_network_keeps_its_answer_when_its_kernels_are_rounded(graph, crops):
    """Results exact, on images that were not measured. The nearest integers are 6 dB worse."""
    weights, images = own_weights(graph), {"image": crops["image"][::2]}
    wanted = run(graph, images)
    found = compensated(graph, weights, {"image": crops["image"][1::2]})
    noise = [
        np.square(vector(simulated(Plan(graph, each, {}), images)) - wanted).mean()
        for each in (weights, found)
    ]
    assert noise[1] < noise[0] / 4
    assert all(node.weights is weights[node] for node in weights)  # the graph stays as it is


def test_padding_is_what_is_kept_best(graph, crops, monkeypatch):
    """A hundredth there, in all pixels alike, moved people of a trained network."""
    dark = np.full((1, *SHAPE), -2.1, "float32")
    weights = own_weights(graph)
    assert rounding._padding(crops["image"][3:]) is None
    np.testing.assert_array_equal(rounding._padding(crops["image"]), np.float32([-2.1] * 3))
    first = next(iter(weights))
    errors = []
    for share in (0.8, 0.01):
        monkeypatch.setattr(rounding, "PADDING", share)
        found = compensated(graph, weights, crops)[first]
        middle = [apply(first, each, [dark]).numpy()[0, 4, 4] for each in (found, weights[first])]
        errors.append(np.abs(middle[0] - middle[1]).mean())
    assert errors[0] < errors[1] / 2
