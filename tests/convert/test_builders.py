"""Every option of every builder, as plain nodes and as files of every kind.

`pytest -m slow` writes the files.
"""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

from hrnet_tf.convert.formats.emit import tflite
from hrnet_tf.convert.formats.onnx_file import onnx_model
from hrnet_tf.convert.graph.compute import compute, own_weights
from hrnet_tf.convert.graph.faster import faster, repeat_pixels
from hrnet_tf.convert.reports.differences import differences
from hrnet_tf.convert.source import plain_graph
from hrnet_tf.networks.classification import classification
from hrnet_tf.networks.detection import HEADS, detection, split
from hrnet_tf.networks.features import backbone, feature_pyramid
from hrnet_tf.networks.pose import pose
from hrnet_tf.networks.segmentation import segmentation
from hrnet_tf.runtime.converted import open_converted
from hrnet_tf.runtime.keras_model import KerasNetwork, input_shapes, named_outputs

from tiny_networks import HRNET, LITE, NAIVE, SHAPE, lively

REGIONS = [head for head, each in HEADS.items() if each.stages]
BUILT = {
    "pose": lambda: pose(HRNET, SHAPE),
    "pose, v2": lambda: pose(HRNET, SHAPE, 5, head="v2"),
    "pose, grey": lambda: pose(HRNET, (64, 96, 1), 3),
    "pose, four channels": lambda: pose(HRNET, (64, 96, 4), 1),
    "pose, lite": lambda: pose(LITE, SHAPE),
    "pose, naive": lambda: pose(NAIVE, SHAPE),
    "pose, lite blocks": lambda: pose(dataclasses.replace(LITE, blocks=1, reduction=8), SHAPE),
    "classification": lambda: classification(HRNET, 7, SHAPE),
    "classification, no bias": lambda: classification(HRNET, 2, SHAPE, use_bias=False),
    "backbone": lambda: backbone(HRNET, SHAPE),
    "backbone, increased": lambda: backbone(HRNET, SHAPE, "increased"),
    "backbone, stem": lambda: backbone(HRNET, SHAPE, stem=True),
    "backbone, lite": lambda: backbone(LITE, SHAPE),
    "backbone, naive": lambda: backbone(NAIVE, SHAPE),
    "pyramid": lambda: feature_pyramid(HRNET, SHAPE, 16),
    "pyramid, max": lambda: feature_pyramid(HRNET, SHAPE, 16, pooling="max"),
    "fcos": lambda: detection(HRNET, 3, "fcos", SHAPE),
    "fcos, bias": lambda: detection(HRNET, 3, "fcos", SHAPE, tower_bias=True),
}
for _exchange in ("across", "final"):
    BUILT[f"pose, exchange {_exchange}"] = lambda exchange=_exchange: pose(
        dataclasses.replace(HRNET, modules=(1, 2, 1), exchange=exchange), SHAPE
    )
for _head in ("concat", "ocr"):
    for _corners in (False, True):
        for _full in (False, True):
            BUILT[f"segmentation, {_head}, {_corners}, {_full}"] = (
                lambda head=_head, corners=_corners, full=_full: segmentation(
                    HRNET, 3, SHAPE, head, corners, full
                )
            )
    for _size in ((72, 104), (65, 97)):
        BUILT[f"segmentation, {_head}, {_size}"] = lambda head=_head, size=_size: segmentation(
            HRNET, 2, (*size, 3), head
        )


def _parts(head, geometry="continuous"):
    found = split(detection(HRNET, 3, head, SHAPE, geometry=geometry))
    return {"image": found.image, "masks": found.masks, **dict(enumerate(found.boxes, 1))}


def _case(name):
    """A network and examples for each of its inputs."""
    keras.utils.set_random_seed(0)
    head, _, part = name.partition(": ")
    model = _parts(head)[int(part) if part.isdigit() else part] if part else BUILT[name]()
    rng, shapes = np.random.default_rng(0), input_shapes(model)
    examples = {key: rng.normal(size=(2, *shape)).astype("f") for key, shape in shapes.items()}
    return lively(model), examples


PARTS = [f"{head}: image" for head in REGIONS]
PARTS += [f"{head}: {stage + 1}" for head in REGIONS for stage in range(HEADS[head].stages)]
PARTS += [f"{head}: masks" for head in REGIONS if HEADS[head].masks]
# `graph/test_compute.py` computes others; parts that several detectors share are computed once.
ELSEWHERE = {"pose", "pose, v2", "pose, lite", "pose, naive", "classification", "pyramid"}
ELSEWHERE |= {"segmentation, concat, True, False", "segmentation, ocr, False, False"}
QUICK = [name for name in BUILT if name not in ELSEWHERE]
QUICK += ["faster_rcnn: image", "htc: image", "faster_rcnn: 1", "cascade_rcnn: 3"]
QUICK += ["htc: 2", "mask_rcnn: masks", "htc: masks"]


@pytest.mark.parametrize("name", QUICK)
def test_nodes_compute_what_the_network_computes(name):
    model, examples = _case(name)
    tensors = {key: tf.constant(each) for key, each in examples.items()}

    def by_nodes(arrays):
        graph = faster(plain_graph(model, None))
        assert not graph.fallbacks
        return {key: x.numpy() for key, x in compute(graph, arrays, own_weights(graph)).items()}

    given = keras.tree.pack_sequence_as(model.input, [*tensors.values()])
    found = by_nodes(tensors)
    for name, each in named_outputs(model(given, training=False)).items():
        assert np.abs(found[name] - each).max() < 5e-5 * np.std(each) + 1e-6


LIMITS = {"float32": 1, "float16": 20, "onnx": 1}  # multiples of float noise
COSINE = 0.9  # at least, between int8 and float outputs of networks with random weights


@pytest.mark.slow
@pytest.mark.parametrize("name", [*BUILT, *PARTS])
def test_files_compute_what_the_network_computes(tmp_path, name):
    model, examples = _case(name)
    graph, network = faster(plain_graph(model, None)), KerasNetwork(model)
    path = tmp_path / "a.onnx"
    path.write_bytes(onnx_model(graph).SerializeToString())
    files = {"onnx": path}
    repeat_pixels(graph)
    for precision in ("float32", "float16", "int8"):
        files[precision] = tmp_path / f"{precision}.tflite"
        given = (examples,) if precision == "int8" else ()
        files[precision].write_bytes(tflite(graph, precision, *given))
    for precision, file in files.items():
        found = differences(open_converted(file, threads=1), network, examples)
        if precision == "int8":
            assert found.cosine > COSINE
        else:
            assert found.noise <= LIMITS[precision], precision
