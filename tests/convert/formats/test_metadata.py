"""What a file says of itself: others can read it, and its numbers stay as they are."""

import io
import zipfile

import keras
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from flatbuffers.table import Table

from hrnet_tf.cards.classification import ClassificationCard
from hrnet_tf.cards.codecs import DARK, UDPCombined
from hrnet_tf.cards.files import conversion_card, save_model
from hrnet_tf.cards.pose import PoseCard
from hrnet_tf.cards.segmentation import SegmentationCard
from hrnet_tf.convert.formats.emit import tflite
from hrnet_tf.convert.formats.metadata import with_metadata
from hrnet_tf.convert.graph.fold import fold_norms, merge_resizes
from hrnet_tf.convert.graph.nodes import Node
from hrnet_tf.convert.graph.read import read_graph
from hrnet_tf.convert.reports.op_list import read_operations
from hrnet_tf.convert.to_tflite import Options, to_tflite
from hrnet_tf.networks.pose import pose

from tiny_networks import HRNET, SHAPE, answers, lively

IMAGES = np.random.default_rng(1).normal(size=(3, *SHAPE)).astype("float32")
NAMES = ("sky", "road", "car")


@pytest.fixture(scope="module")
def graph():
    return merge_resizes(fold_norms(read_graph(lively(pose(HRNET, SHAPE)), ["heatmaps"])))


@pytest.fixture(scope="module")
def content(graph):
    """A file as the converter makes it."""
    return tflite(graph, "float32")


# A reader that shares nothing with the writer: fields by their number in the schemas of MediaPipe.


def text(table, field):
    return table.String(table.Offset(4 + 2 * field) + table.Pos).decode()


def byte(table, field):
    return table.Bytes[table.Offset(4 + 2 * field) + table.Pos]


def child(table, field):
    return Table(table.Bytes, table.Indirect(table.Offset(4 + 2 * field) + table.Pos))


def vector(table, field):
    offset = table.Offset(4 + 2 * field)
    return (table.Vector(offset), table.VectorLen(offset)) if offset else (0, 0)


def children(table, field):
    start, count = vector(table, field)
    return [Table(table.Bytes, table.Indirect(start + 4 * each)) for each in range(count)]


def numbers(table, field, dtype="<f4"):
    start, count = vector(table, field)
    return np.frombuffer(table.Bytes, dtype, count, start)


def root(data, identifier):
    assert data[4:8] == identifier
    return Table(data, int.from_bytes(data[:4], "little"))


def entry(content):
    """The root of the metadata in a file."""
    model = schema.ModelT.InitFromPackedBuf(content)
    (found,) = [each.buffer for each in model.metadata if each.name == b"TFLITE_METADATA"]
    return root(model.buffers[found].data.tobytes(), b"M001")


def alignments(content):
    """Where the weights of a file lie, modulo 16."""
    model = schema.Model.GetRootAs(content)
    buffers = (model.Buffers(each) for each in range(model.BuffersLength()))
    return {each._tab.Vector(each._tab.Offset(4)) % 16 for each in buffers if each.DataLength()}


def labels(content):
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        (info,) = archive.infolist()
        assert info.filename == "labels.txt" and info.compress_type == zipfile.ZIP_STORED
        return archive.read(info).decode().split("\n")


@pytest.mark.parametrize("precision", ["float32", "float16", "int8", "int16x8"])
def test_a_file_computes_what_it_computed(graph, tmp_path, precision):
    """Bit by bit and by the same operations; weights are aligned as runtimes map them."""
    before = tflite(graph, precision, {"image": IMAGES})
    after = with_metadata(before, PoseCard(), "tiny")
    assert after == with_metadata(before, PoseCard(), "tiny")
    paths = tmp_path / "before.tflite", tmp_path / "after.tflite"
    for path, each in zip(paths, (before, after), strict=True):
        path.write_bytes(each)
    outputs = [answers(path, IMAGES)["heatmaps"] for path in paths]
    np.testing.assert_array_equal(*outputs)
    assert read_operations(paths[0]) == read_operations(paths[1])
    assert alignments(after) == {0}
    assert 0 < len(after) - len(before) < 5000


def test_images_are_told_in_grey_levels(content):
    """MediaPipe and Android compute (grey level - mean) / std."""
    card = PoseCard(mean=(0.5, 0.25, 0), std=(0.25, 0.5, 1))
    metadata = entry(with_metadata(content, card, "tiny"))
    assert text(metadata, 0) == "tiny" and "17 keypoints of coco" in text(metadata, 1)
    (graph,) = children(metadata, 3)
    (image,) = children(graph, 2)
    properties = child(image, 3)
    assert (byte(properties, 0), byte(child(properties, 1), 0)) == (2, 1)  # an image, RGB
    (step,) = children(image, 4)
    assert byte(step, 0) == 1  # normalization
    mean, std = (numbers(child(step, 1), field) for field in (0, 1))
    np.testing.assert_allclose(mean, (127.5, 63.75, 0))
    np.testing.assert_allclose(std, (63.75, 127.5, 255))
    levels = np.arange(256)[:, None] * np.ones(3)
    normalized = np.asarray(card.normalize(levels))
    np.testing.assert_allclose((levels - mean) / std, normalized, atol=1e-6)
    highest, lowest = (numbers(child(image, 5), field) for field in (0, 1))
    np.testing.assert_allclose(highest, normalized.max(0), atol=1e-6)
    np.testing.assert_allclose(lowest, normalized.min(0), atol=1e-6)


def test_outputs_are_told_in_the_order_of_the_file(graph, tmp_path):
    """That order is the converter's; names of keypoints belong to one axis of both."""
    (maps,) = graph.results
    card = PoseCard(codec=DARK())
    points = Node("decode", "points", [maps], (17, 3), {"function": card.decoder().function})
    outputs = {"heatmaps": maps, "keypoints": points}
    both = type(graph)("x", [*graph.nodes, points], graph.inputs, outputs)
    content = with_metadata(tflite(both, "float32"), card, "tiny")
    outputs = children(children(entry(content), 3)[0], 3)
    shapes = {"heatmaps": 4, "keypoints": 3}
    model = schema.ModelT.InitFromPackedBuf(content).subgraphs[0]
    for output, index in zip(outputs, model.outputs, strict=True):
        assert shapes[text(output, 0)] == len(model.tensors[index].shape)
        (file,) = children(output, 6)
        assert (text(file, 0), byte(file, 2)) == ("labels.txt", 2)
    assert labels(content) == list(PoseCard().keypoints.names)


def test_maps_that_are_more_than_the_keypoints_have_no_labels(content):
    """UDP's combined codec has three maps for each; TFLite knows one name for one map."""
    for codec, count in ((DARK(), 1), (UDPCombined(), 0)):
        (graph,) = children(entry(with_metadata(content, PoseCard(codec=codec), "x")), 3)
        (output,) = children(graph, 3)
        assert len(children(output, 6)) == count


CLASSES = {
    ClassificationCard: {"classes": NAMES},
    SegmentationCard: {"classes": NAMES, "palette": ((0, 0, 0),) * 3},
}


@pytest.mark.parametrize("kind", CLASSES)
def test_classes_and_softmax_are_what_mediapipe_looks_for(kind):
    """Its ImageSegmenter gives raw logits unless the file names the activation."""
    image = keras.Input(SHAPE)
    x = keras.layers.Conv2D(3, 3)(image)
    if kind is ClassificationCard:
        x = keras.layers.GlobalAveragePooling2D()(x)
    graph = read_graph(keras.Model(image, x), ["logits"])
    content = with_metadata(tflite(graph, "float32"), kind(**CLASSES[kind]), "x")
    assert labels(content) == list(NAMES)
    (graph,) = children(entry(content), 3)
    (output,) = children(graph, 3)
    assert text(output, 0) == "logits" and len(children(output, 6)) == 1
    custom = children(graph, 9)
    assert len(custom) == (kind is SegmentationCard)
    for each in custom:
        assert text(each, 0) == "SEGMENTER_METADATA"
        data, (start, _) = numbers(each, 1, np.uint8), vector(each, 1)
        assert start % 16 == 0
        assert byte(root(data.tobytes(), b"V001"), 0) == 2


@pytest.mark.parametrize("card", [SegmentationCard(**CLASSES[SegmentationCard]), None])
def test_a_converted_file_has_it_before_its_hash_is_taken(tmp_path, card):
    """A network of unknown task says nothing of itself."""
    image = keras.Input(SHAPE)
    model = keras.Model(image, keras.layers.Conv2D(3, 3)(image), name="three")
    save_model(model, card, tmp_path / "x.keras")
    options = Options(verify=False)
    path = to_tflite(tmp_path / "x.keras", options=options, report=lambda line: None)
    assert conversion_card(path)["conversion"]["bytes"] == path.stat().st_size
    if card:
        assert text(entry(path.read_bytes()), 0) == "three"
        assert labels(path.read_bytes()) == list(NAMES)
    else:
        assert not zipfile.is_zipfile(path)
