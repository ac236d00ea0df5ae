"""Integers compute what floats computed: equalizing, ranges, the files, and their report."""

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter

from hrnet_tf.convert.calibration import calibration
from hrnet_tf.convert.formats.emit import emit, tflite
from hrnet_tf.convert.graph.compute import compute, own_weights
from hrnet_tf.convert.graph.faster import repeat_pixels
from hrnet_tf.convert.integers import equalize, ranges
from hrnet_tf.convert.integers.equalize import centred, channel_scales, equalized
from hrnet_tf.convert.integers.layer_losses import losses
from hrnet_tf.convert.integers.plan import plan
from hrnet_tf.convert.integers.precisions import PRECISIONS, Precision
from hrnet_tf.convert.integers.simulate import Plan, whole_steps
from hrnet_tf.convert.reports.lint import lint
from hrnet_tf.convert.reports.op_list import read_operations
from hrnet_tf.convert.source import open_source
from hrnet_tf.convert.verify import verify
from hrnet_tf.networks.classification import classification
from hrnet_tf.networks.pose import pose
from hrnet_tf.networks.segmentation import segmentation
from hrnet_tf.runtime.converted import open_converted
from hrnet_tf.tasks.pose.predictor import PosePredictor
from hrnet_tf.training.evaluate import evaluate

from tiny_networks import HRNET, NETWORKS, SHAPE, graph_of, lively, run, simulated, vector


@pytest.fixture(scope="module")
def crops():
    return {"image": np.random.default_rng(1).normal(size=(6, *SHAPE)).astype("float32")}


@pytest.fixture(scope="module")
def graph():
    return graph_of(lively(pose(HRNET, SHAPE)))


@pytest.fixture(scope="module")
def uneven():
    """A network whose channels differ a thousandfold inside and which computes the same.

    What training with batch normalization does to light networks, made on purpose.
    """
    graph = graph_of(lively(pose(HRNET, SHAPE)))
    wanted = graph_of(lively(pose(HRNET, SHAPE)))
    rng = np.random.default_rng(2)
    images = {"image": rng.normal(size=(6, *SHAPE)).astype("float32")}
    weights, _, scales = equalizing(graph, images)
    factors = {}
    for each in scales.values():
        for value in each[each != 1]:
            factors.setdefault(value, 10 ** rng.uniform(-3, 0))
    uneven = {
        node: np.array([factors.get(value, 1.0) for value in each]) for node, each in scales.items()
    }
    for node, values in equalized(graph, weights, uneven).items():
        node.weights = values
    np.testing.assert_allclose(run(graph, images), run(wanted, images), atol=1e-3)
    return graph


def equalizing(graph, images):
    weights = own_weights(graph)
    weights, found = centred(graph, weights, ranges.extremes(graph, weights, images))
    return weights, found, channel_scales(graph, found, ranges.importance(graph, weights, images))


def decibels(wanted, found):
    return 10 * np.log10((wanted**2).mean() / ((wanted - found) ** 2).mean())


def answers(content, images, folder):
    path = folder / "network.tflite"
    path.write_bytes(content)
    return vector(open_converted(path, threads=1)(images)), path


@pytest.mark.parametrize("name", ["landmarks", "lite", "align corners", "ocr", "classification"])
def test_equalizing_changes_results_but_no_output(name, crops, monkeypatch):
    """Through residual sums, fusion, concatenation, splits, gates, shuffles; centring besides."""
    monkeypatch.setattr(equalize, "STEPS", 30)
    graph = graph_of(lively(NETWORKS[name]()), shuffles=True)
    before = own_weights(graph)
    weights, found, scales = equalizing(graph, crops)
    assert sum((scales[node] != 1).any() for node in weights) > len(weights) / 2
    new = equalized(graph, weights, scales)
    wanted = run(graph, crops)
    assert np.abs(run(graph, crops, new) - wanted).max() < 1e-4 * wanted.std()
    assert all(node.weights is before[node] for node in before)  # the graph stays as it is
    again = ranges.extremes(graph, new, crops)
    for node, (low, high) in ranges.scaled(found, scales).items():
        np.testing.assert_allclose(again[node], (low, high), rtol=1e-3, atol=1e-3)


def test_what_pointwise_convolutions_read_is_centred(crops):
    """Half of the noise of a light network comes from there."""
    graph = graph_of(lively(NETWORKS["naive lite"]()))
    found = ranges.extremes(graph, own_weights(graph), crops)
    _, centred_ones = centred(graph, own_weights(graph), found)
    depthwise = [node for node in found if node.kind == "depthwise"]
    assert max(np.abs(sum(found[node])).max() for node in depthwise) > 0.1
    assert max(np.abs(sum(centred_ones[node])).max() for node in depthwise) < 1e-5


@pytest.mark.parametrize("shuffles", [False, True])
def test_hardly_a_channel_is_left_out(shuffles, crops, monkeypatch):
    """One kind of node that channels are not followed through costs AP .07 of a light network."""
    monkeypatch.setattr(equalize, "STEPS", 3)
    graph = graph_of(lively(NETWORKS["naive lite"]()), shuffles)
    weights, _, scales = equalizing(graph, crops)
    fixed = [node.name for node in weights if (scales[node] == 1).any()]
    assert fixed == ["final_layer"]


@pytest.mark.parametrize("name", NETWORKS)
def test_int8_files_are_integers_from_end_to_end(name, crops, tmp_path, monkeypatch):
    monkeypatch.setattr(equalize, "STEPS", 30)
    graph = graph_of(lively(NETWORKS[name]()))
    (tmp_path / "a.tflite").write_bytes(tflite(graph, "int8", crops, "int8", "int8"))
    operations = read_operations(tmp_path / "a.tflite")
    assert not {"QUANTIZE", "DEQUANTIZE"} & {each.name for each in operations}
    kinds = {tensor.dtype for each in operations for tensor in (*each.inputs, *each.outputs)}
    assert "float32" not in kinds and "int8" in kinds


def test_a_file_computes_what_its_simulation_does(graph, crops, tmp_path):
    """So a loss can be studied and trained away before a file exists."""
    found = plan(graph, "int8", crops)
    wanted = vector(simulated(found, crops))
    assert decibels(wanted, answers(emit(found), crops, tmp_path)[0]) > 30


def test_equalized_int8_survives_uneven_channels(uneven, crops, tmp_path):
    wanted = run(uneven, crops)
    plain, _ = answers(tflite(uneven, "int8_min_max", crops), crops, tmp_path)
    equal, _ = answers(tflite(uneven, "int8", crops), crops, tmp_path)
    assert decibels(wanted, plain) < 15
    assert decibels(wanted, equal) > 25


@pytest.mark.parametrize(
    ("precision", "least", "share"),
    [
        ("float32", 90, 1.1),
        ("float16", 55, 0.65),
        ("dynamic", 25, 0.5),
        ("int16x8", 30, 0.5),
        ("int8", 25, 0.5),
        ("int8_float_head", 25, 0.5),
    ],
)
def test_every_precision_keeps_the_answer(precision, least, share, graph, crops, tmp_path):
    found, path = answers(tflite(graph, precision, crops), crops, tmp_path)
    assert decibels(run(graph, crops), found) > least
    whole = sum(4 * value.size for node in graph.nodes for value in node.weights.values())
    assert path.stat().st_size < share * whole + 100_000


@pytest.mark.parametrize("kind", ["int8", "uint8", "float32"])
def test_types_of_inputs_and_outputs(kind, graph, crops, tmp_path):
    content = tflite(graph, "int8", crops, kind, kind, batch=2)
    (tmp_path / "a.tflite").write_bytes(content)
    interpreter = Interpreter(str(tmp_path / "a.tflite"))
    details = interpreter.get_input_details() + interpreter.get_output_details()
    assert {np.dtype(each["dtype"]).name for each in details} == {kind}
    assert {int(each["shape"][0]) for each in details} == {2}


def test_a_normalization_of_its_own_is_rounded_too(crops, tmp_path):
    """Networks of others have some that no convolution precedes."""
    image = keras.Input(SHAPE)
    x = keras.layers.BatchNormalization()(image)
    x = keras.layers.ReLU()(keras.layers.BatchNormalization()(keras.layers.ReLU()(x)))
    model = lively(keras.Model(image, keras.layers.Conv2D(5, 3)(x)))
    wanted = np.ravel(model(crops["image"]))
    content = tflite(graph_of(model), "int8", crops, "int8", "int8")
    assert decibels(wanted, answers(content, crops, tmp_path)[0]) > 25


def test_every_range_holds_zero_exactly():
    """Padding writes zeros, and ReLU cuts there."""
    rng = np.random.default_rng(0)
    for low, high in [*rng.normal(0, 3, (50, 2)), (0.5, 2), (-2, -1), (0, 0)]:
        low, high = sorted((float(low), float(high)))
        a, b = whole_steps(low, high)
        step = (b - a) / 255
        assert a <= 0 <= b and abs(a / step - round(a / step)) < 1e-6
        assert a <= low + step / 2 and b >= high - step / 2


def test_importance_predicts_what_noise_does(graph, crops):
    """The gradients that scales are chosen by: measured against real noise in one result."""
    weights = own_weights(graph)
    matter = ranges.importance(graph, weights, crops)
    wanted = run(graph, crops)
    for node in [node for node in matter if node.kind == "add"][-6::2]:

        def mark(each, x, node=node):
            noise = 0.01 * tf.random.stateless_normal(tf.shape(x), (3, 4))
            return x + tf.where(x != 0, noise, 0) if each is node else x

        found = run(graph, crops, weights, mark)
        power = ((found - wanted) ** 2).sum() / (wanted**2).sum()
        assert power == pytest.approx(matter[node].sum() * 1e-4, rel=0.5)


def test_biases_make_up_for_the_mean_error_of_kernels(graph, crops):
    """Kernels alone rounded: the mean of the outputs moves, and comes back."""
    weights = own_weights(graph)
    wanted = run(graph, crops)
    corrected = plan(graph, Precision("", correct=True), crops).weights
    errors = [
        vector(simulated(Plan(graph, each, {}), crops)) - wanted for each in (weights, corrected)
    ]
    plain, better = (np.abs(each.reshape(-1, 17).mean(0)).mean() for each in errors)
    assert better < 0.7 * plain


def test_the_report_names_what_each_layer_loses(graph, crops):
    """A sum has no weights, so what it loses alone is the rounding of its result."""
    found = losses(graph, "int8_min_max", crops)
    assert found == sorted(found, key=lambda each: each.own)
    assert all(each.total < each.own + 3 for each in found[:3])

    ranges_of = plan(graph, "int8_min_max", crops).ranges
    node = next(n for n in graph.nodes if n.kind == "add" and n in ranges_of)
    exact = []

    def mark(each, x):
        if each is node:
            exact.append(x)
        return x

    compute(graph, crops, own_weights(graph), mark)
    low, high = ranges_of[node]
    (x,) = (each.numpy() for each in exact)
    step = (high - low) / 255
    noise = np.clip(np.rint(x / step) * step, low, high) - x
    loss = next(each for each in found if each.name == node.name)
    assert loss.own == pytest.approx(10 * np.log10((x**2).sum() / (noise**2).sum()), abs=0.1)


@pytest.mark.parametrize(
    ("crops", "message"),
    [
        (None, "Received: None"),
        (np.zeros((0, *SHAPE), "float32"), "N above 0"),
        (np.zeros((2, 32, 32, 3), "float32"), r"Received: image \(2, 32, 32, 3\)"),
        (np.ones((2, *SHAPE), "float32"), "not all of one colour"),
        (np.full((2, *SHAPE), np.nan, "float32"), "must be finite"),
    ],
)
def test_unusable_crops_are_said_in_a_sentence(crops, message, graph):
    for precision in ("int8", "int16x8"):
        with pytest.raises(ValueError, match=message) as error:
            tflite(graph, precision, None if crops is None else {"image": crops})
        assert "\n" not in str(error.value)


def test_float_files_have_float_inputs(graph):
    with pytest.raises(ValueError, match="`input_type` must be float32"):
        tflite(graph, "float16", input_type="int8")


def test_every_precision_has_a_line():
    """The table of the README and of --help is made of them."""
    lines = [each.description for each in PRECISIONS.values()]
    assert all(line and len(line) < 70 for line in lines) and len(set(lines)) == len(lines)


LARGE = {
    "w48": lambda: pose("w48", (256, 192, 3)),
    "lite18": lambda: pose("lite18", (256, 192, 3)),
    "classification": lambda: classification("w18"),
    "segmentation": lambda: segmentation("w48", 19, (256, 512, 3)),
    "ocr": lambda: segmentation("w48", 19, (256, 512, 3), head="ocr", align_corners=True),
}
OUTSIDE = {"lite18": {"AVERAGE_POOL_2D": 32}, "ocr": {"BATCH_MATMUL": 3, "SOFTMAX": 2}}


def write_large(name, path):
    """Writes an int8 file; returns the crops, what its simulation gives, and GiB at the peak."""
    model = lively(LARGE[name]())
    shape = (2, *model.input_shape[1:])
    crops = {"image": np.random.default_rng(1).normal(size=shape).astype("float32")}
    found = plan(repeat_pixels(graph_of(model)), "int8", crops)
    path.write_bytes(emit(found, "int8", "int8"))
    status = Path("/proc/self/status").read_text()  # getrusage tells also of the parent
    peak = int(status.split("VmHWM:")[1].split()[0]) / 2**20
    return crops, vector(simulated(found, crops)), peak


@pytest.mark.slow
@pytest.mark.parametrize("name", LARGE)
def test_large_networks_become_integers_in_little_memory(name, tmp_path):
    """All for XNNPACK but `OUTSIDE`. In a process of its own: memory counts from its start."""
    path = tmp_path / "a.tflite"
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as process:
        crops, wanted, peak = process.submit(write_large, name, path).result()
    assert peak < 4
    sentences = lint(read_operations(path), pure=True)
    assert not [each for each in sentences if not each.startswith("RESIZE_BILINEAR")]
    assert verify(path, threads=1).delegated.outside == OUTSIDE.get(name, {})
    assert decibels(wanted, vector(open_converted(path)(crops))) > 20


@pytest.mark.data
@pytest.mark.slow
@pytest.mark.parametrize("size", ["128x96", "256x192"])
def test_files_find_people_as_the_network_does(size, data_dir, tmp_path):
    """AP of the emitted files on real photos; one person of 120 is worth about .008.

    `benchmarks/quantize.py` prints it for every recipe.
    """
    name, coco = f"tinypose_{size}", data_dir / "coco_kp_subset"
    source = open_source(name, data_dir / "tinypose" / f"derived_{name}.npz")
    people = coco / "annotations" / "person_keypoints_train2017.json"
    photos = calibration(people, None, source.card, source.inputs).examples
    found = {}
    for precision in ("float32", "float16", "int8", "int8_min_max"):
        path = tmp_path / f"{precision}.tflite"
        path.write_bytes(tflite(source.graph, precision, photos))
        predictor = PosePredictor(path, source.card)
        truth = coco / "annotations" / "person_keypoints_val2017.json", coco / "val2017"
        found[precision] = evaluate(predictor, *truth, protocol="annotated").numbers["AP"]
    assert found["float32"] == pytest.approx({"128x96": 0.5336, "256x192": 0.6388}[size], abs=2e-4)
    assert found["float16"] == pytest.approx(found["float32"], abs=0.001)
    assert found["int8"] > found["float32"] - 0.02
    assert found["int8_min_max"] < found["float32"] - 0.1
