"""Detectors: the contract on every backend, their parts, and what they refuse."""

import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

import hrnet_tf
from hrnet_tf.cards.detection import HEADS as CARD_HEADS
from hrnet_tf.cards.detection import DetectionCard
from hrnet_tf.networks.complexity import complexity
from hrnet_tf.networks.detection import HEADS, split
from hrnet_tf.networks.specs import HRNetSpec, LiteHRNetSpec

from model_contract import (
    call,
    check_mixed_precision,
    check_model,
    check_public_docstring,
    copy_weights,
    example,
    random_weights,
)

TINY = HRNetSpec(8, 1, 8, (1, 1, 1), 1)
NAIVE = LiteHRNetSpec(8, (1, 1, 1), 1, weighting=False, stem=16)
SIZE = (64, 96, 3)
CLASSES = ("cat", "dog", "owl")
TENSORFLOW = keras.backend.backend() == "tensorflow"
REGIONS = 4  # of `example`

NARROW = {  # channels of the layers of heads, if `channels` is 32
    "fpn_conv.0": 32,
    "rpn_head.rpn_conv": 32,
    "roi_head.bbox_head.shared_fcs.0": 128,
    "roi_head.mask_head.upsample": 32,
}


def detector(head, size=SIZE, arch=TINY, **options):
    return hrnet_tf.detection(arch, len(CLASSES), head, size, **options)


def shapes(head, size=SIZE):
    """Those of the card, with the sizes of an image."""
    card = DetectionCard(head=head, classes=CLASSES, category_ids=(1, 2, 3))
    found = {}
    for name, shape in card.outputs().items():
        level = name.rpartition("_P")[2]
        if level.isdigit():
            strided = head.startswith("fcos")  # pooling rounds down, strided convolutions up
            sides = (side // 2 ** (int(level) - strided) for side in size[:2])
            sides = (-(-side // 2) if strided else side for side in sides)
            found[name] = (*sides, shape[-1])
        else:
            found[name] = (REGIONS, *shape[1:])
    if head == "htc":
        found["semantic_logits"] = (size[0] // 8, size[1] // 8, 183)
    return found


@pytest.mark.parametrize("head", ["fcos", "mask_rcnn", pytest.param("htc", marks=pytest.mark.slow)])
def test_detectors_keep_the_contract(head, tmp_path):
    check_model(detector(head), shapes(head), tmp_path)


def test_heads_can_be_narrow():
    model = hrnet_tf.detection(TINY, 2, "mask_rcnn", (64, 64, 3), channels=32)
    found = {name: model.get_layer(name).output.shape[-1] for name in NARROW}
    assert found == NARROW


@pytest.mark.parametrize("arch", [NAIVE, TINY], ids=["lite", "hrnet"])
def test_the_light_head_keeps_the_contract_on_trunks_of_both_kinds(arch, tmp_path):
    check_model(detector("fcos_lite", arch=arch), shapes("fcos_lite"), tmp_path)


def test_the_light_detector_has_a_phone_s_costs_and_nothing_but_convolutions():
    """The person detector of the documentation: at most 1.5 M parameters, 1.0 G multiply-adds."""
    model = hrnet_tf.detection("wider_naive_lite18", 1, "fcos_lite")
    costs = complexity(model)
    assert model.input_shape == (None, 320, 320, 3)
    assert costs.parameters <= 1.5e6 and costs.multiply_adds <= 1.0e9
    assert not [x for x in model.layers if isinstance(x, keras.layers.GroupNormalization)]


@pytest.mark.parametrize("head", ["fcos", pytest.param("mask_rcnn", marks=pytest.mark.slow)])
def test_detectors_return_float32_in_mixed_precision(head):
    check_mixed_precision(lambda: detector(head, (256, 256, 3)))


def test_cards_and_networks_have_the_same_heads():
    assert HEADS == CARD_HEADS


@pytest.mark.parametrize(
    "head", ["fcos", "fcos_lite", "faster_rcnn", pytest.param("htc", marks=pytest.mark.slow)]
)
def test_dynamic_sizes_equal_static_ones(head):
    """Also sides that are no multiple of 64, whose coarsest level is rounded."""
    dynamic = detector(head, (None, None, 3))
    random_weights(dynamic)
    static = detector(head)
    copy_weights(dynamic, static)
    x = example(static, 2)
    ours, wanted = call(dynamic, x), call(static, x)
    assert ours.keys() == wanted.keys()
    for name, array in wanted.items():
        assert array.shape[1:] == shapes(head)[name]
        np.testing.assert_allclose(ours[name], array, atol=2e-4 * max(1, array.std()))


@pytest.mark.parametrize(
    "head",
    ["mask_rcnn", *(pytest.param(h, marks=pytest.mark.slow) for h in ("cascade_rcnn", "htc"))],
)
def test_parts_of_a_reloaded_detector_compute_what_it_computes(head, tmp_path):
    """The same weights, not copies; twice, and without regions too."""
    built = detector(head, (None, None, 3))
    random_weights(built)
    built.save(tmp_path / "model.keras")
    model = keras.models.load_model(tmp_path / "model.keras")
    x = example(detector(head), 1)
    wanted = call(model, x)
    names = [n for n in ("box_regions", "mask_regions", "semantic_regions") if _has(model, n)]
    pooled = keras.Model(model.input, {n: model.get_layer(n).output for n in names})
    pooled = call(pooled, x)
    for _ in range(2):
        parts = split(model)
        image = call(parts.image, x["image"])
        fused = {"semantic": pooled["semantic_regions"]} if head == "htc" else {}
        assert {*image} == {
            *("P2", "P3", "P4", "P5"),
            *(f"{kind}_P{i}" for kind in ("objectness", "anchor_deltas") for i in range(2, 7)),
            *fused,
        }
        found = {name: x for name, x in image.items() if name in wanted}
        for stage in parts.boxes:
            assert {x.name for x in stage.inputs} == {"regions", *fused}
            found |= _of_one_image(call(stage, {"regions": pooled["box_regions"], **fused}))
        if parts.masks is not None:
            masks = {"regions": pooled["mask_regions"], **fused}
            found |= _of_one_image(call(parts.masks, masks))
        for name, array in found.items():
            np.testing.assert_array_equal(array, wanted[name], err_msg=name)
        assert {*found} == {*wanted} - {"semantic_logits"}
    assert (
        parts.boxes[0].weights[0]
        is model.get_layer(parts.boxes[0].weights[0].path.split("/")[0]).kernel
    )


def _has(model, name):
    return name in {layer.name for layer in model.layers}


def _of_one_image(outputs):
    return {name: x[None] for name, x in outputs.items()}


def test_a_single_region_equals_the_same_one_among_others():
    """Keras turns the sum of one region's row and column into `bias_add`; this must not happen."""
    model = detector("faster_rcnn")
    random_weights(model)
    x = example(model, 1)
    wanted = call(model, x)["class_logits_1"]
    for i in range(REGIONS):
        ours = call(model, {**x, "boxes": x["boxes"][:, i : i + 1]})["class_logits_1"]
        np.testing.assert_allclose(ours[:, 0], wanted[:, i], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("build", "sentence"),
    [
        (lambda: hrnet_tf.detection("lite18"), "unless `head` is fcos_lite.*w18_small_v1"),
        (lambda: hrnet_tf.detection("lite18", 1, "fcos_lite", (None, None, 3)), "a fixed height"),
        (lambda: hrnet_tf.detection("w18", 0), "COCO has 80"),
        (lambda: hrnet_tf.detection("w18", head="yolo"), "one of fcos, fcos_lite"),
        (lambda: hrnet_tf.detection("w18", input_shape=(800, 1333, 3)), r"is \(800, 1344, 3\)"),
        (lambda: hrnet_tf.detection("w18", samples=1), "2 or more"),
        (lambda: hrnet_tf.detection("w18", geometry="old"), "continuous, inclusive"),
        (lambda: hrnet_tf.detection("w18", channels=48), "`channels` must be a multiple of 32"),
        (lambda: split(detector("fcos")), "FCOS has no parts"),
        (lambda: split(hrnet_tf.pose(TINY, (64, 64, 3))), "a detector with regions"),
    ],
)
def test_detectors_say_the_way_out(build, sentence):
    with pytest.raises(ValueError, match=sentence):
        build()


def test_the_docstring_states_the_contract():
    check_public_docstring(hrnet_tf.detection)


CLEAN_PROCESS = """
import sys, keras, numpy as np
model = keras.models.load_model(sys.argv[1] + ".keras")
given = dict(np.load(sys.argv[1] + ".npz"))
found = model.predict_on_batch({key: given.pop(key) for key in ("image", "boxes")})
assert found.keys() == given.keys()
for key, wanted in given.items():
    np.testing.assert_allclose(found[key], wanted, atol=2e-4 * max(1, wanted.std()), err_msg=key)
assert "hrnet_tf" not in sys.modules
"""


@pytest.mark.skipif(not TENSORFLOW, reason="the files are written by the TensorFlow backend")
@pytest.mark.parametrize("backend", ["tensorflow", "jax"])
def test_saved_detectors_open_with_keras_alone(backend, tmp_path):
    model = detector("faster_rcnn", (None, None, 3))
    random_weights(model)
    x = example(detector("faster_rcnn"), 1)
    model.save(tmp_path / "model.keras")
    np.savez(tmp_path / "model.npz", **x, **call(model, x))
    _python(backend, "-c", CLEAN_PROCESS, str(tmp_path / "model"), cwd=tmp_path)


@pytest.mark.slow  # compiling the gradients takes half a minute each
@pytest.mark.skipif(not TENSORFLOW, reason="already on another backend")
def test_the_contract_holds_on_jax():
    arguments = ["-m", "pytest", "-p", "no:cacheprovider", str(Path(__file__))]
    _python("jax", *arguments, "-k", "keep_the_contract", "-m", "not slow")


def _python(backend, *arguments, **options):
    environment = {
        **os.environ,
        "KERAS_BACKEND": backend,
        "JAX_PLATFORMS": "cpu",
        "XLA_FLAGS": "--xla_backend_optimization_level=0",  # compile quickly, run slowly
    }
    done = subprocess.run(
        [sys.executable, *arguments], env=environment, capture_output=True, text=True, **options
    )
    assert done.returncode == 0, done.stdout + done.stderr
