"""Detectors of every source: names, the order of classes, and what is refused."""

import json
import zlib

import numpy as np
import pytest

import hrnet_tf
from hrnet_tf.networks.specs import HRNetSpec, LiteHRNetSpec
from hrnet_tf.weights.detectors import converted
from hrnet_tf.weights.load import load_checkpoint, original_tensors, weights_of

from golden import rule
from places import FIXTURES

TINY = HRNetSpec(8, 1, 8, (1, 1, 1), 1)
SIZE = (64, 64, 3)
OFFICIAL = json.loads((FIXTURES / "det_official_keys" / "meta.json").read_text())["detectors"]
NECK = {f"neck.fpn_convs.{i}.conv": f"fpn_conv.{i}" for i in range(5)}
NECK["neck.reduction_conv.conv"] = "reduction_conv.0"


def ours(name):
    """The name of our layer for a parameter of mmdetection 3."""
    layer, _, leaf = name.rpartition(".")
    return f"{NECK.get(layer, layer)}.{leaf}"


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=pytest.mark.slow if "cascade" in n else ()) for n in OFFICIAL]
)
def test_official_detectors_become_those_of_mmdetection_3(name):
    """Neck and heads map one to one; the background moves in weights and in biases."""
    facts = OFFICIAL[name]
    tensors, dropped = original_tensors(rule.weights(facts["keys"], 0.55))
    wanted = {ours(key): crc for key, crc in facts["converted_crc32"].items()}
    found = {key: zlib.crc32(np.ascontiguousarray(x)) for key, x in tensors.items()}
    assert found == wanted
    assert dropped == {"neck.": 12}


@pytest.fixture(scope="module")
def networks():
    return {head: hrnet_tf.detection(TINY, 3, head, SIZE) for head in ("fcos", "mask_rcnn")}


def source(model, seed=0):
    """Random weights under the names of mmdetection 3, as far as they differ from ours."""
    rng = np.random.default_rng(seed)
    return {k: rng.uniform(0.5, 1, x.shape).astype("f4") for k, x in weights_of(model).items()}


def check_loaded(model, arrays, wanted):
    report = load_checkpoint(model, arrays)
    assert not (report.unused or report.missing or report.ignored)
    found = weights_of(model)
    assert found.keys() == wanted.keys()
    for name, array in wanted.items():
        np.testing.assert_array_equal(found[name], array, err_msg=name)


def test_weights_come_out_as_they_went_in(networks):
    """Also the first dense layer of a box head, whose inputs PyTorch orders C, h, w."""
    for model in networks.values():
        wanted = source(model)
        check_loaded(model, wanted, wanted)


def with_background_first(name, array):
    """The tensor as mmdetection 1 would have it; the unused entries are 9."""
    layer = name.rpartition(".")[0]
    if layer.endswith("fc_cls"):
        return np.concatenate([array[-1:], array[:-1]])
    extra = 4 if layer.endswith("fc_reg") and len(array) > 4 else 0
    extra = 1 if layer.endswith("conv_logits") else extra
    return np.concatenate([np.full((extra, *array.shape[1:]), 9, "f4"), array])


def test_openmmlab_1_has_the_background_first(networks):
    wanted = source(networks["mask_rcnn"])
    old = {k.removeprefix("roi_head."): with_background_first(k, x) for k, x in wanted.items()}
    check_loaded(networks["mask_rcnn"], old, wanted)


@pytest.mark.parametrize(
    ("name", "rows", "wanted"),
    [
        ("bbox_head.2.fc_cls.bias", 4, [1, 2, 3, 0]),
        ("bbox_head.2.fc_reg.bias", 4, [0, 1, 2, 3]),  # Cascade's deltas belong to all classes
        ("bbox_head.fc_reg.bias", 8, [4, 5, 6, 7]),
        ("mask_head.1.conv_logits.bias", 4, [1, 2, 3]),
        ("rpn_head.rpn_cls.bias", 3, [0, 1, 2]),  # three anchors, no background
        ("semantic_head.conv_logits.bias", 4, [0, 1, 2, 3]),
        ("bbox_head.fcos_cls.bias", 4, [0, 1, 2, 3]),
        ("roi_head.bbox_head.fc_cls.bias", 4, [0, 1, 2, 3]),  # mmdetection 2
    ],
)
def test_only_outputs_with_a_background_change(name, rows, wanted):
    assert converted(name, np.arange(rows)).tolist() == wanted


BENCHMARK = {
    "rpn_head.rpn_conv": "rpn.head.conv",
    "rpn_head.rpn_cls": "rpn.head.cls_logits",
    "rpn_head.rpn_reg": "rpn.head.bbox_pred",
    "roi_head.bbox_head.shared_fcs.0": "roi_heads.box.feature_extractor.fc6",
    "roi_head.bbox_head.shared_fcs.1": "roi_heads.box.feature_extractor.fc7",
    "roi_head.bbox_head.fc_cls": "roi_heads.box.predictor.cls_score",
    "roi_head.bbox_head.fc_reg": "roi_heads.box.predictor.bbox_pred",
    **{
        f"roi_head.mask_head.convs.{i}.conv": f"roi_heads.mask.feature_extractor.mask_fcn{i + 1}"
        for i in range(4)
    },
    "roi_head.mask_head.upsample": "roi_heads.mask.predictor.conv5_mask",
    "roi_head.mask_head.conv_logits": "roi_heads.mask.predictor.mask_fcn_logits",
}
ANCHOR_FREE = {
    "bbox_head.conv_cls": "rpn.head.cls_logits",
    "bbox_head.conv_reg": "rpn.head.bbox_pred",
    "bbox_head.conv_centerness": "rpn.head.centerness",
    **{f"bbox_head.scales.{i}": f"rpn.head.scales.{i}" for i in range(5)},
    **{
        f"bbox_head.{ours}_convs.{i}.{kind}": f"rpn.head.{theirs}_tower.{3 * i + n}"
        for ours, theirs in (("cls", "cls"), ("reg", "bbox"))
        for i in range(4)
        for n, kind in enumerate(("conv", "gn"))
    },
}


def other_names(arrays, table, neck):
    """Arrays under the names of another repository, with DataParallel's prefix."""
    found = {}
    for key, array in arrays.items():
        layer, _, leaf = key.rpartition(".")
        place = neck if layer.startswith(("reduction_conv", "fpn_conv")) else "backbone.body."
        if "scales" in layer:
            leaf, array = "scale", array.reshape(())
        found[f"module.{table.get(layer, place + layer)}.{leaf}"] = array
    return found


def test_maskrcnn_benchmark_loads(networks):
    model = networks["mask_rcnn"]
    wanted = source(model)
    old = {key: with_background_first(key, array) for key, array in wanted.items()}
    check_loaded(model, other_names(old, BENCHMARK, "backbone.neck."), wanted)


def test_fcos_of_its_authors_loads_with_biases_in_the_towers(networks):
    model = hrnet_tf.detection(TINY, 3, "fcos", SIZE, tower_bias=True)
    wanted = source(model)
    theirs = other_names(wanted, ANCHOR_FREE, "backbone.fpn.")
    check_loaded(model, theirs, wanted)
    with pytest.raises(ValueError, match=r"8 unused \(bbox_head\.reg_convs\.0\.conv\.bias"):
        load_checkpoint(networks["fcos"], theirs)


def test_early_fcos_of_openmmlab_loads(networks):
    wanted = source(networks["fcos"])
    old = {key.replace(".conv_", ".fcos_"): array for key, array in wanted.items()}
    check_loaded(networks["fcos"], old, wanted)


def test_other_classes_are_refused_or_start_the_last_layers_anew(networks):
    model = networks["mask_rcnn"]
    other = source(hrnet_tf.detection(TINY, 2, "mask_rcnn", SIZE))
    with pytest.raises(
        ValueError, match=r"6 mismatched \(.*fc_cls\.weight: float32 \(3, 1024\) for \(4, 1024\)"
    ):
        load_checkpoint(model, other)
    report = load_checkpoint(model, other, allow_head_mismatch=True)
    last = ("bbox_head.fc_cls", "bbox_head.fc_reg", "mask_head.conv_logits")
    assert {*report.reinitialized} == {f"roi_head.{name}" for name in last}


def test_networks_of_other_tasks_start_detectors_or_are_refused(networks):
    model = networks["mask_rcnn"]
    classifier = weights_of(hrnet_tf.classification(TINY, 7, SIZE))
    pose = weights_of(hrnet_tf.pose(TINY, SIZE, 5))
    with pytest.raises(ValueError, match=r"final_layer where the model has .*roi_head"):
        load_checkpoint(model, pose)
    for arrays in (classifier, pose):
        report = load_checkpoint(model, arrays, allow_head_mismatch=True)
        assert "stage4.0.branches.3.0.conv2.weight" in report.loaded
        assert "rpn_head.rpn_conv" in report.reinitialized


def test_a_pose_network_gives_its_trunk_to_the_light_detector():
    """All but the finest map's projection, which such a detector does not have."""
    arch = LiteHRNetSpec(8, (1, 1, 1), 1, weighting=False, stem=16)
    given = source(hrnet_tf.pose(arch, SIZE))
    model = hrnet_tf.detection(arch, 1, "fcos_lite", SIZE)
    report = load_checkpoint(model, given, allow_head_mismatch=True)
    ours = weights_of(model)
    for name in given.keys() & ours.keys():
        np.testing.assert_array_equal(ours[name], given[name])
    assert {name.split(".")[0] for name in report.missing} == {"fpn_conv", "bbox_head"}
    rest = {".".join(name.split(".")[:3]) for name in report.unused}
    assert rest == {"head_layer.projects.3", "final_layer.weight", "final_layer.bias"}
