"""Several named inputs and outputs, all the way: read, computed, int8, .tflite, .onnx, verified."""

import json

import keras
import numpy as np
import pytest
from keras import layers

from hrnet_tf.cards.files import save_model
from hrnet_tf.cards.pose import PoseCard
from hrnet_tf.cards.segmentation import SegmentationCard
from hrnet_tf.convert.calibration import calibration
from hrnet_tf.convert.formats.emit import tflite
from hrnet_tf.convert.formats.origin import tensor_facts
from hrnet_tf.convert.graph.read import input_shapes, read_graph
from hrnet_tf.convert.integers import rounding
from hrnet_tf.convert.integers.layer_losses import losses
from hrnet_tf.convert.integers.plan import plan
from hrnet_tf.convert.reports.lint import lint
from hrnet_tf.convert.reports.op_list import precision, read_operations
from hrnet_tf.convert.source import open_source
from hrnet_tf.convert.to_onnx import Options as OnnxOptions
from hrnet_tf.convert.to_onnx import to_onnx
from hrnet_tf.convert.to_tflite import Options, to_tflite
from hrnet_tf.convert.verify import verify
from hrnet_tf.networks.segmentation import segmentation
from hrnet_tf.runtime.converted import open_converted

from tiny_networks import (
    HRNET,
    SHAPE,
    computed,
    difference,
    graph_of,
    lively,
    simulated,
    two_inputs,
)

OUTPUTS = {"maps": (8, 12, 8), "rows": (5, 6), "scores": (5,)}


def drawn(count, seed=1):
    rng = np.random.default_rng(seed)
    boxes = rng.uniform(-1, 2, (count, 5, 4)).astype("float32")
    return {"image": rng.normal(size=(count, 16, 24, 3)).astype("float32"), "boxes": boxes}


EXAMPLES = drawn(7)


@pytest.fixture(scope="module")
def model():
    return lively(two_inputs())


@pytest.fixture(scope="module")
def source(model, tmp_path_factory):
    """The network from its file."""
    path = tmp_path_factory.mktemp("source") / "two.keras"
    save_model(model, None, path)
    return open_source(path)


def test_a_graph_keeps_all_names(model):
    graph = read_graph(model)
    assert {name: node.shape for name, node in graph.inputs.items()} == {
        "image": (16, 24, 3),
        "boxes": (5, 4),
    }
    assert {name: node.shape for name, node in graph.outputs.items()} == OUTPUTS
    assert {node.name for node in graph.nodes if node.kind == "input"} == {"image", "boxes"}
    assert graph.images == ["image"]
    assert difference(computed(graph, EXAMPLES), model(EXAMPLES)) < 1e-5
    assert difference(computed(graph_of(model), EXAMPLES), model(EXAMPLES)) < 1e-5


def test_outputs_that_are_not_wanted_are_dropped_with_all_that_only_they_need(model):
    graph = read_graph(model, ["rows"])
    assert [*graph.inputs] == ["boxes"] and [node.name for node in graph.nodes] == ["boxes", "rows"]
    with pytest.raises(ValueError, match=r"maps, scores, rows\. Received: 'logits'"):
        read_graph(model, ["maps", "logits"])


def test_names_come_from_dictionaries_tensors_or_places():
    """As `KerasNetwork` calls them; a lone input is the image, a lone output may be renamed."""
    one, two = keras.Input((4,), name="one"), keras.Input((4,), name="two")
    several = keras.Model([one, two], [layers.Add()([one, two]), layers.Multiply()([one, two])])
    graph = read_graph(several)
    assert [*graph.inputs] == ["one", "two"] and [*graph.outputs] == ["output0", "output1"]
    lone = read_graph(keras.Model({"one": one}, layers.Dense(3)(one)), ["logits"])
    assert [*lone.inputs] == ["image"] and [*lone.outputs] == ["logits"]
    named = keras.Model({"two": two, "one": one}, layers.Add()([one, two]))
    assert [*input_shapes(named)] == ["one", "two"] and [*read_graph(named).outputs] == ["output"]


@pytest.mark.filterwarnings("ignore:When providing `inputs` as a dict")
@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda a, b: keras.Model({"a b": a, "c": b}, layers.Add()([a, b])), "word of letters"),
        (lambda a, b: keras.Model([a, b], {"x": a, "y": {"z": b}}), "'y' holds several"),
    ],
)
def test_names_that_files_cannot_have_are_refused(build, message):
    with pytest.raises(ValueError, match=message) as error:
        read_graph(build(keras.Input((4,), name="one"), keras.Input((4,), name="two")))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("kind", "allowed"),
    [("float32", 1e-5), ("float16", 0.01), ("dynamic", 0.3), ("int8", 0.3), ("int16x8", 0.1)],
)
def test_files_of_every_precision_take_and_give_arrays_by_name(model, tmp_path, kind, allowed):
    path = tmp_path / "two.tflite"
    path.write_bytes(tflite(graph_of(model), kind, EXAMPLES))
    network = open_converted(path, threads=1)
    assert network.inputs == {"boxes": (5, 4), "image": (16, 24, 3)}
    assert network.outputs == OUTPUTS
    fresh = drawn(3, seed=2)
    assert difference(network(fresh), model(fresh)) < allowed
    operations = read_operations(path)
    assert precision(operations) == kind
    # For int16, TFLite's converter chooses the scales, and rescales what is joined.
    assert kind == "int16x8" or lint(operations) == []


def test_int8_files_are_integers_from_end_to_end(model, tmp_path):
    """And compute what their simulation does."""
    path, graph = tmp_path / "two.tflite", graph_of(model)
    path.write_bytes(tflite(graph, "int8", EXAMPLES, "int8", "int8", batch=2))
    operations = read_operations(path)
    kinds = {tensor.dtype for each in operations for tensor in (*each.inputs, *each.outputs)}
    assert "float32" not in kinds and "int8" in kinds
    found = simulated(plan(graph, "int8", EXAMPLES), EXAMPLES)
    assert difference(open_converted(path, threads=1)(EXAMPLES), found) < 0.1


def test_facts_of_the_file_tell_all_of_them(model):
    facts = tensor_facts(tflite(graph_of(model), "int8", EXAMPLES, "int8", "int8"))
    assert (facts["input"]["name"], facts["input"]["dtype"]) == ("image", "int8")
    assert [each["name"] for each in facts["other_inputs"]] == ["boxes"]
    outputs = [facts["output"], *facts["other_outputs"]]
    assert {each["name"]: tuple(each["shape"][1:]) for each in outputs} == OUTPUTS


def test_padding_is_seen_with_every_example_of_the_other_inputs(model):
    graph, examples = graph_of(model), {**EXAMPLES, "image": EXAMPLES["image"].copy()}
    arrays, share = rounding._weighted(graph, examples)
    assert {len(each) for each in arrays.values()} == {7} and len(share) == 7
    examples["image"][0, :, 0] = examples["image"].min((0, 1, 2))
    arrays, share = rounding._weighted(graph, examples)
    assert {len(each) for each in arrays.values()} == {14}
    assert share.sum() == pytest.approx(1) and share[7:].sum() == pytest.approx(0.8)
    np.testing.assert_array_equal(arrays["boxes"][7:], EXAMPLES["boxes"])
    assert np.ptp(arrays["image"][7:], axis=(0, 1, 2)).max() == 0


def test_other_inputs_may_be_constant(model):
    """An image of one colour is a mistake, the same boxes for all are not."""
    plan(graph_of(model), "int8_min_max", EXAMPLES | {"boxes": np.ones_like(EXAMPLES["boxes"])})


def test_layers_of_all_inputs_are_in_the_report(model):
    names = {each.name for each in losses(graph_of(model), "int8_min_max", EXAMPLES)}
    assert {"image", "boxes", "conv", "rows", "scores"} <= names


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"boxes": EXAMPLES["boxes"][:3]}, "N above 0"),
        ({"boxes": EXAMPLES["boxes"][:, :2]}, r"boxes \(7, 2, 4\)"),
        ({"more": EXAMPLES["boxes"]}, "more"),
        ({"boxes": EXAMPLES["boxes"] * np.nan}, "must be finite.*boxes"),
    ],
)
def test_examples_that_do_not_fit_are_said_in_a_sentence(model, change, message):
    with pytest.raises(ValueError, match=message) as error:
        plan(graph_of(model), "int8", EXAMPLES | change)
    assert "\n" not in str(error.value)


def test_a_source_gives_what_its_file_gives(source, tmp_path):
    """By name, whatever the order; `verify` compares all outputs."""
    path = tmp_path / "two.tflite"
    path.write_bytes(tflite(source.graph, "float32"))
    found = verify(path, source, EXAMPLES, threads=1)
    assert found.difference.maximum < 1e-5 and found.difference.crops == 7
    assert found.latency.calls >= 10 and found.delegated.parts >= 1
    with pytest.raises(ValueError, match="Was it made from this network"):
        verify(path, lambda arrays: {**source(arrays), "scores": arrays["boxes"]}, EXAMPLES)
    with pytest.raises(ValueError, match="Was it made from this network"):
        verify(path, lambda arrays: {"maps": source(arrays)["maps"]}, EXAMPLES)


@pytest.mark.parametrize("nchw", [False, True])
def test_an_onnx_file_takes_and_gives_arrays_by_name(source, tmp_path, nchw):
    pytest.importorskip("onnxruntime")
    options = OnnxOptions(nchw=nchw, verify=False)
    path = to_onnx(source.name, tmp_path / "two.onnx", options=options, report=lambda _: None)
    network = open_converted(path, threads=1)
    assert network.inputs == {"image": (16, 24, 3), "boxes": (5, 4)}
    assert network.outputs == OUTPUTS
    assert verify(path, source, EXAMPLES, threads=1).difference.maximum < 1e-5
    facts = json.loads(path.with_suffix(".json").read_text())
    assert facts["input"]["shape"] == ([-1, 3, 16, 24] if nchw else [-1, 16, 24, 3])
    assert [each["shape"] for each in facts["other_inputs"]] == [[-1, 5, 4]]


def test_a_command_converts_it_where_no_examples_are_needed(source, tmp_path):
    """Nothing says how to make boxes, so int8 and verification are refused in a sentence."""
    options = Options(verify=False)
    path = to_tflite(source.name, tmp_path / "x.tflite", options=options, report=lambda _: None)
    assert difference(open_converted(path)(EXAMPLES), source(EXAMPLES)) < 1e-5
    for refused in (Options(), Options(precision="int8", verify=False)):
        with pytest.raises(ValueError, match=r"`inputs` must be.*--noverify") as error:
            to_tflite(source.name, tmp_path / "y.tflite", options=refused, report=lambda _: None)
        assert "\n" not in str(error.value)
    with pytest.raises(ValueError, match="`inputs` must be"):
        calibration(None, None, PoseCard(), source.inputs)


def test_another_size_keeps_the_other_inputs(source):
    resized = open_source(source.name, size=(32, 16))
    assert resized.inputs == {"boxes": (5, 4), "image": (32, 16, 3)}
    examples = drawn(2) | {"image": np.ones((2, 32, 16, 3), "float32")}
    found = resized(examples)
    assert found["maps"].shape == (2, 16, 8, 8)
    np.testing.assert_allclose(found["rows"], source(drawn(2))["rows"], atol=1e-6)


def test_files_have_the_outputs_that_the_card_describes(tmp_path):
    """Those of OCR that are for training are left out; without a card nobody knows."""
    model = lively(segmentation(HRNET, 3, SHAPE, head="ocr"))
    card = SegmentationCard(("a", "b", "c"), ((0, 0, 0), (9, 9, 9), (99, 99, 99)))
    image = {"image": np.random.default_rng(1).normal(size=(1, *SHAPE)).astype("float32")}
    for kept, outputs in ((card, ["logits"]), (None, ["aux", "logits"])):
        save_model(model, kept, tmp_path / "ocr.keras")
        found = open_source(tmp_path / "ocr.keras")
        assert [*found.graph.outputs] == outputs == [*found(image)]
        (tmp_path / "ocr.json").unlink(missing_ok=True)
    save_model(model, PoseCard(), tmp_path / "ocr.keras")
    with pytest.raises(
        ValueError, match=r"ocr\.keras: .* must return heat maps.*outputs=aux, logits"
    ):
        open_source(tmp_path / "ocr.keras")
