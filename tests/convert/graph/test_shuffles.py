"""What is rewritten for speed computes the same, and the rewrites happen where they pay."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from hrnet_tf.convert.formats.emit import tflite
from hrnet_tf.convert.graph.faster import faster, repeat_pixels, separate_pads, sum_coarse_first
from hrnet_tf.convert.graph.fold import fold_norms, merge_resizes
from hrnet_tf.convert.graph.read import read_graph
from hrnet_tf.convert.graph.shuffles import fold_shuffles
from hrnet_tf.networks.blocks import channel_shuffle
from hrnet_tf.networks.pose import pose
from hrnet_tf.networks.specs import HRNetSpec, LiteHRNetSpec
from hrnet_tf.patches.litert import operations
from hrnet_tf.runtime.converted import open_converted

from tiny_networks import computed, difference, lively

SHAPE = (64, 64, 3)
IMAGE = np.random.default_rng(1).normal(size=(1, *SHAPE)).astype("float32")


def lite(**settings):
    spec = {"width": 8, "modules": (1, 1, 1), "stem": 16, "reduction": 4, **settings}
    return lively(pose(LiteHRNetSpec(**spec), SHAPE))


def hrnet():
    return lively(pose(HRNetSpec(8, 1, 8, (1, 1, 1), 1), SHAPE))


def shuffles_everywhere():
    """Shuffles before an output, a softmax over channels, an add, a pooling and a dense layer."""
    image = keras.Input(SHAPE)
    x = layers.Conv2D(8, 3, 2, "same", activation="relu", name="a")(image)
    y = layers.Conv2D(8, 3, 2, "same", name="b")(image)
    left, right = ops.split(x, 2, axis=-1)
    mixed = channel_shuffle(layers.Concatenate()([right, y, left, y]), "one")
    again = channel_shuffle(layers.Concatenate()([mixed, x]), "two")
    total = layers.Add()([mixed, layers.Conv2D(24, 1, name="c")(again)])
    halves = channel_shuffle(layers.DepthwiseConv2D(3, padding="same", name="d")(total), "three")
    outputs = {
        "shuffled": again,
        "shares": layers.Softmax()(halves),
        "fine": layers.UpSampling2D(interpolation="nearest")(mixed),
        "classes": layers.Dense(5, name="e")(layers.GlobalAveragePooling2D()(again)),
    }
    return lively(keras.Model(image, outputs))


NETWORKS = {
    "naive lite": lambda: lite(weighting=False),
    "naive lite of three blocks": lambda: lite(weighting=False, blocks=3),
    "wider naive lite": lambda: lite(weighting=False, width=24),
    "lite": lite,
    "hrnet": hrnet,
    "shuffles everywhere": shuffles_everywhere,
}


def folded(model):
    return merge_resizes(fold_norms(read_graph(model)))


@pytest.mark.parametrize("integers", [False, True])
@pytest.mark.parametrize("name", NETWORKS)
def test_rewritten_graphs_compute_what_their_original_computes(name, integers):
    model = NETWORKS[name]()
    graph = repeat_pixels(faster(folded(model), integers))
    assert difference(computed(graph, {"image": IMAGE}), model(IMAGE)) < 1e-5
    assert "permute" not in {node.kind for node in graph.nodes}
    names = [node.name for node in graph.nodes if node.weights]
    assert len(names) == len(set(names))


def test_a_graph_without_shuffles_stays_as_it_is():
    graph = folded(hrnet())
    nodes = [*graph.nodes]
    assert fold_shuffles(graph).nodes == nodes


def test_shuffles_cost_little():
    """Copies instead of shuffles, and no large convolutions that only move channels."""
    graph = folded(lite(weighting=False, width=40))
    before = sum(node.weights["kernel"].size for node in graph.nodes if node.weights)
    fold_shuffles(graph)
    after = sum(node.weights["kernel"].size for node in graph.nodes if node.weights)
    assert after < 1.1 * before
    assert max(len(node.inputs) for node in graph.nodes) <= 5  # XNNPACK concatenates no more


def test_graphs_of_integers_copy_less():
    """Their products are fast, and each copy waits for all threads."""
    counts = []
    for integers in (False, True):
        graph = fold_shuffles(folded(lite(weighting=False, width=40)), integers)
        counts.append(sum(node.kind in ("slice", "concat") for node in graph.nodes))
    assert counts[1] < 0.8 * counts[0]


def test_coarse_streams_are_summed_before_they_are_upsampled():
    graph = sum_coarse_first(folded(hrnet()))
    readers = graph.readers()
    for node in graph.nodes:
        if node.kind == "nearest":
            assert node.shape[0] == 2 * node.inputs[0].shape[0]
            assert not [add for add in readers[node] if add.inputs[0].kind == "nearest"]


def test_the_doubled_sum_of_lite_hrnet_is_gone():
    """Every ReLU can be fused: alone, TFLite's int8 ReLU takes a quarter of the time."""
    graph = sum_coarse_first(folded(lite()))
    readers = graph.readers()
    for node in graph.nodes:
        if node.kind == "add":
            assert node.inputs[0] is not node.inputs[1]
        if node.kind == "activation" and node.settings["function"] == "relu":
            assert len(readers[node.inputs[0]]) == 1


def test_a_sum_with_its_double_that_no_kernel_can_absorb_stays():
    image = keras.Input(SHAPE)
    x = layers.Activation("relu")(layers.Conv2D(4, 1, name="a")(image))
    y = layers.UpSampling2D(interpolation="nearest")(layers.Conv2D(4, 2, 2, name="b")(image))
    total = layers.Add()([layers.Add()([x, x]), y])
    model = lively(keras.Model(image, {"raw": total, "relu": layers.Activation("relu")(total)}))
    graph = sum_coarse_first(folded(model))
    assert difference(computed(graph, {"image": IMAGE}), model(IMAGE)) < 1e-6


def test_no_two_convolutions_share_a_pad():
    graph = separate_pads(folded(lite()))
    pads = [node for node in graph.nodes if node.kind == "pad"]
    assert len({(node.inputs[0], node.settings["padding"]) for node in pads}) == len(pads)


def test_a_file_without_shuffles_is_one_graph_for_xnnpack(tmp_path):
    model = lite(weighting=False)
    path = tmp_path / "lite.tflite"
    path.write_bytes(tflite(repeat_pixels(faster(folded(model))), "float32"))
    network = open_converted(path, threads=1)
    assert difference(network({"image": IMAGE}), model(IMAGE)) < 1e-5
    names = [each["op_name"] for each in operations(network.interpreter)]
    assert not {"TRANSPOSE", "RESIZE_NEAREST_NEIGHBOR", "RELU"} & {*names}
    assert names.count("DELEGATE") == 1
