"""Checkpoints of every source into networks of every task, and which they are refused by."""

import keras
import numpy as np
import pytest

import hrnet_tf
from hrnet_tf.networks.specs import HRNetSpec
from hrnet_tf.weights.load import load_checkpoint

TINY = HRNetSpec(8, 1, 8, (1, 1, 1), 1)
SIZE = (64, 64, 3)
LEAVES = {"kernel": "weight", "gamma": "weight", "bias": "bias", "beta": "bias"}
LEAVES |= {"moving_mean": "running_mean", "moving_variance": "running_var"}


def checkpoint(model, prefix="", seed=0):
    """What the original would have saved: its names and layouts, random numbers, counters."""
    rng, arrays = np.random.default_rng(seed), {}
    for layer in model.layers:
        for weight in layer.weights:
            shape = tuple(weight.shape)
            shape = shape[:1:-1] + shape[:2] if len(shape) == 4 else shape[::-1]
            name = f"{prefix}{layer.name}.{LEAVES[weight.name]}"
            arrays[name] = rng.uniform(0.5, 1, shape).astype("float32")
            if name.endswith("running_mean"):
                arrays[name.replace("running_mean", "num_batches_tracked")] = np.array(7)
    return arrays


def renamed(arrays, *pairs):
    """`arrays` with each first name, of a layer, in place of the second; True for all of them."""
    names = {ours: theirs for theirs, ours in pairs}
    found = {}
    for key, array in arrays.items():
        layer, _, leaf = key.rpartition(".")
        found[f"{names.get(layer, layer)}.{leaf}"] = array
    return found


def without(arrays, *names):
    return {key: array for key, array in arrays.items() if key not in names}


def kernel(model, name):
    return np.asarray(model.get_layer(name).kernel).transpose(3, 2, 0, 1)


@pytest.fixture(scope="module")
def networks():
    """One small network of each task."""
    return {
        "pose": hrnet_tf.pose(TINY, SIZE, 5),
        "landmarks": hrnet_tf.pose(TINY, SIZE, 5, head="v2"),
        "classification": hrnet_tf.classification(TINY, 7, SIZE),
        "without bias": hrnet_tf.classification(TINY, 7, SIZE, use_bias=False),
        "segmentation": hrnet_tf.segmentation(TINY, 5, SIZE),
        "ocr": hrnet_tf.segmentation(TINY, 5, SIZE, head="ocr"),
        "raw": hrnet_tf.backbone(TINY, SIZE),
        "increased": hrnet_tf.backbone(TINY, SIZE, "increased"),
        "pyramid": hrnet_tf.feature_pyramid(TINY, SIZE),
    }


# --- Other names -----------------------------------------------------------------------------


def test_original_segmentation_files_load(networks):
    """The wrapper's prefix, and the class weights of its loss."""
    source = checkpoint(networks["ocr"], "model.")
    source["loss.criterion.weight"] = np.ones(5, "float32")
    report = load_checkpoint(networks["ocr"], source)
    assert "loss.criterion.weight" in report.ignored and not report.unused


FCN = (
    ("backbone.decode_head.convs.0.conv", "backbone.last_layer.0"),
    ("backbone.decode_head.convs.0.bn", "backbone.last_layer.1"),
    ("backbone.decode_head.conv_seg", "backbone.last_layer.3"),
)


def openmmlab(arrays, *pairs):
    """Heads beside the backbone, not under it."""
    found = renamed({f"backbone.{key}": array for key, array in arrays.items()}, *pairs)
    heads = ("decode_head", "head", "keypoint_head", "neck")
    return {
        key.removeprefix("backbone.") if key.split(".")[1] in heads else key: array
        for key, array in found.items()
    }


def test_openmmlab_segmentation_loads_and_its_lacking_bias_is_zero(networks):
    model = networks["segmentation"]
    source = without(openmmlab(checkpoint(model), *FCN), "decode_head.convs.0.conv.bias")
    report = load_checkpoint(model, source)
    assert report.zeroed == ("last_layer.0.bias",) and not report.missing
    assert not np.any(model.get_layer("last_layer.0").bias)
    for theirs, ours in (("convs.0.conv", "last_layer.0"), ("conv_seg", "last_layer.3")):
        np.testing.assert_array_equal(kernel(model, ours), source[f"decode_head.{theirs}.weight"])
    assert "1 zeroed: last_layer.0.bias" in report.summary()


BLOCK = "backbone.decode_head.1.object_context_block"
OURS = "backbone.ocr_distri_head.object_context_block"
OCR = (
    ("backbone.decode_head.0.convs.0.conv", "backbone.aux_head.0"),
    ("backbone.decode_head.0.convs.0.bn", "backbone.aux_head.1"),
    ("backbone.decode_head.0.conv_seg", "backbone.aux_head.3"),
    ("backbone.decode_head.1.bottleneck.conv", "backbone.conv3x3_ocr.0"),
    ("backbone.decode_head.1.bottleneck.bn", "backbone.conv3x3_ocr.1"),
    (f"{BLOCK}.query_project.0.conv", f"{OURS}.f_pixel.0"),
    (f"{BLOCK}.query_project.0.bn", f"{OURS}.f_pixel.1.0"),
    (f"{BLOCK}.query_project.1.conv", f"{OURS}.f_pixel.2"),
    (f"{BLOCK}.query_project.1.bn", f"{OURS}.f_pixel.3.0"),
    (f"{BLOCK}.key_project.0.conv", f"{OURS}.f_object.0"),
    (f"{BLOCK}.key_project.0.bn", f"{OURS}.f_object.1.0"),
    (f"{BLOCK}.key_project.1.conv", f"{OURS}.f_object.2"),
    (f"{BLOCK}.key_project.1.bn", f"{OURS}.f_object.3.0"),
    (f"{BLOCK}.value_project.conv", f"{OURS}.f_down.0"),
    (f"{BLOCK}.value_project.bn", f"{OURS}.f_down.1.0"),
    (f"{BLOCK}.out_project.conv", f"{OURS}.f_up.0"),
    (f"{BLOCK}.out_project.bn", f"{OURS}.f_up.1.0"),
    (f"{BLOCK}.bottleneck.conv", "backbone.ocr_distri_head.conv_bn_dropout.0"),
    (f"{BLOCK}.bottleneck.bn", "backbone.ocr_distri_head.conv_bn_dropout.1.0"),
    ("backbone.decode_head.1.conv_seg", "backbone.cls_head"),
)


def test_openmmlab_ocr_loads_layer_by_layer(networks):
    """Its head computes what the original's does; queries are the pixels, keys the regions."""
    model = networks["ocr"]
    source = openmmlab(checkpoint(model), *OCR)
    source = without(
        source, "decode_head.0.convs.0.conv.bias", "decode_head.1.bottleneck.conv.bias"
    )
    report = load_checkpoint(model, source)
    assert report.zeroed == ("aux_head.0.bias", "conv3x3_ocr.0.bias")
    assert not report.unused and not report.missing
    for theirs, ours in OCR:
        if not theirs.endswith("bn"):
            wanted = source[f"{theirs.removeprefix('backbone.')}.weight"]
            np.testing.assert_array_equal(kernel(model, ours.removeprefix("backbone.")), wanted)


LANDMARKS = {
    "0.x": [(f"backbone.keypoint_head.final_layer.{i}", f"backbone.head.{i}") for i in (0, 1, 3)],
    "1.x": [
        ("backbone.head.conv_layers.0", "backbone.head.0"),
        ("backbone.head.conv_layers.1", "backbone.head.1"),
        ("backbone.head.final_layer", "backbone.head.3"),
    ],
}


@pytest.mark.parametrize("pairs", LANDMARKS.values(), ids=LANDMARKS)
def test_openmmlab_landmarks_load(networks, pairs):
    model = networks["landmarks"]
    source = openmmlab(checkpoint(model), *pairs)
    report = load_checkpoint(model, source)
    assert not report.unused and not report.zeroed
    last = pairs[-1][0].removeprefix("backbone.")
    np.testing.assert_array_equal(kernel(model, "head.3"), source[f"{last}.weight"])


def detector(networks, kind):
    """A whole detector in the names of its repository."""
    source = checkpoint(networks["pyramid"])
    if kind == "OpenMMLab":
        pairs = [(f"backbone.neck.fpn_convs.{i}.conv", f"backbone.fpn_conv.{i}") for i in range(5)]
        pairs.append(("backbone.neck.reduction_conv.conv", "backbone.reduction_conv.0"))
    else:
        pairs = [(f"backbone.neck.fpn_conv.{i}", f"backbone.fpn_conv.{i}") for i in range(5)]
        pairs.append(("backbone.neck.reduction_conv.0", "backbone.reduction_conv.0"))
    source = openmmlab(source, *pairs)
    heads = ("rpn_head.rpn_conv", "roi_head.bbox_head.fc_cls")
    if kind == "maskrcnn-benchmark":  # frozen normalizations: an epsilon and no counter
        source = {
            f"module.backbone.{key}" if key.startswith("neck") else f"module.{key}": array
            for key, array in source.items()
            if not key.endswith("num_batches_tracked")
        }
        source = {key.replace("e.backbone.", "e.backbone.body."): v for key, v in source.items()}
        source = {key.replace("body.neck.", "neck."): array for key, array in source.items()}
        source["module.backbone.body.bn1.eps"] = np.array(1e-5, "float32")
        heads = ("module.rpn.head.conv", "module.roi_heads.box.predictor.cls_score")
    return source | {f"{head}.weight": np.ones((4, 4), "float32") for head in heads}


@pytest.mark.parametrize("kind", ["HRNet-Object-Detection", "OpenMMLab", "maskrcnn-benchmark"])
def test_detectors_give_their_pyramid_and_their_trunk(networks, kind):
    """The detector's own heads are named as unused; nothing has to be allowed for that."""
    source = detector(networks, kind)
    report = load_checkpoint(networks["pyramid"], source)
    assert len(report.unused) == 2 and not report.missing
    assert any(key.endswith("fpn_conv.4.weight") for key in report.loaded)
    report = load_checkpoint(networks["raw"], source)
    assert {name.split(".")[0] for name in report.unused} >= {"reduction_conv", "fpn_conv"}


def test_a_detector_is_no_pose_network(networks):
    source = detector(networks, "OpenMMLab")
    with pytest.raises(
        ValueError,
        match=r"The file has reduction_conv, fpn_conv, rpn_head, roi_head where the model has "
        r"final_layer\. Pass `allow_head_mismatch=True` to load the trunk",
    ):
        load_checkpoint(networks["pose"], source)
    report = load_checkpoint(networks["pose"], source, allow_head_mismatch=True)
    assert report.reinitialized == ("final_layer",)


# --- Biases in front of a normalization --------------------------------------------------------


def test_files_without_biases_load_into_networks_with_and_without(networks):
    """The ssld files of timm: the same function either way."""
    source = checkpoint(networks["without bias"])
    assert not load_checkpoint(networks["without bias"], source).zeroed
    report = load_checkpoint(networks["classification"], source)
    parts = [f"downsamp_modules.{i}.0.bias" for i in range(3)]
    assert report.zeroed == (*parts, "final_layer.0.bias")
    x = np.random.default_rng(1).standard_normal((1, *SIZE)).astype("float32")
    np.testing.assert_array_equal(networks["classification"](x), networks["without bias"](x))


def test_one_bias_too_few_is_damage(networks):
    source = without(checkpoint(networks["classification"]), "downsamp_modules.1.0.bias")
    with pytest.raises(ValueError, match=r"1 missing \(downsamp_modules\.1\.0\.bias\)"):
        load_checkpoint(networks["classification"], source)


def test_biases_before_other_layers_are_needed(networks):
    source = without(checkpoint(networks["segmentation"]), "last_layer.3.bias")
    with pytest.raises(ValueError, match=r"1 missing \(last_layer\.3\.bias\)"):
        load_checkpoint(networks["segmentation"], source)


# --- From one task to another ------------------------------------------------------------------


def parts(names):
    return {name.split(".")[0] for name in names}


CLASSIFIER = {"incre_modules", "downsamp_modules", "final_layer", "classifier"}


def test_classifiers_are_backbones(networks):
    source = checkpoint(networks["classification"])
    assert parts(load_checkpoint(networks["raw"], source).unused) == CLASSIFIER
    report = load_checkpoint(networks["increased"], source)
    assert parts(report.unused) == CLASSIFIER - {"incre_modules"}


@pytest.mark.parametrize("task", ["landmarks", "segmentation", "ocr", "pyramid"])
def test_classifiers_start_networks_that_read_all_resolutions(networks, task):
    """Nothing of the trunk is left over, and nothing of it is new."""
    source = checkpoint(networks["classification"])
    with pytest.raises(ValueError, match="allow_head_mismatch=True"):
        load_checkpoint(networks[task], source)
    report = load_checkpoint(networks[task], source, allow_head_mismatch=True)
    assert parts(report.unused) == CLASSIFIER
    assert {*parts(report.reinitialized)} == parts(report.missing)
    trunk = [name for name in checkpoint(networks["raw"]) if "num_batches" not in name]
    assert set(trunk) <= set(report.loaded)


def test_segmentation_becomes_ocr_but_for_its_head(networks):
    report = load_checkpoint(
        networks["ocr"], checkpoint(networks["segmentation"], "model."), allow_head_mismatch=True
    )
    assert parts(report.unused) == {"last_layer"}


def test_pose_networks_start_others_but_for_the_rows_they_lack(networks):
    """HRNetV1 has no lower rows in its last exchange unit; they start anew, and the report says."""
    source = checkpoint(networks["pose"])
    for task in ("segmentation", "raw"):
        model = networks[task]
        with pytest.raises(ValueError, match=r"\d\d missing \(stage4\.0\.fuse_layers"):
            load_checkpoint(model, source)
        report = load_checkpoint(model, source, allow_head_mismatch=True)
        rows = [name for name in report.reinitialized if name.startswith("stage4.0.fuse_layers.")]
        assert {name.split(".")[3] for name in rows} == {"1", "2", "3"}
        assert "stage4.0.fuse_layers.0.1.0.weight" in report.loaded
        assert "stage4.0.branches.3.0.conv2.weight" in report.loaded


def test_only_the_last_exchange_unit_may_lack_rows(networks):
    model = hrnet_tf.backbone(HRNetSpec(8, 1, 8, (1, 1, 2), 1), SIZE)
    source = checkpoint(model)
    source = {k: v for k, v in source.items() if not k.startswith("stage4.0.fuse_layers.2")}
    with pytest.raises(ValueError, match="Build the architecture"):
        load_checkpoint(model, source, allow_head_mismatch=True)


def test_another_width_is_refused_whatever_is_allowed(networks):
    source = checkpoint(hrnet_tf.classification(HRNetSpec(4, 1, 8, (1, 1, 1), 1), 7, SIZE))
    for allowed in (False, True):
        with pytest.raises(ValueError, match=r"\(8, 32, 3, 3\)\.*.*Build the architecture"):
            load_checkpoint(networks["segmentation"], source, allow_head_mismatch=allowed)


def test_another_number_of_classes_is_refused_or_starts_the_head_anew(networks):
    source = checkpoint(hrnet_tf.segmentation(TINY, 9, SIZE))
    with pytest.raises(ValueError, match=r"\(9, 120, 1, 1\) for \(5, 120, 1, 1\).*allow_head"):
        load_checkpoint(networks["segmentation"], source)
    report = load_checkpoint(networks["segmentation"], source, allow_head_mismatch=True)
    assert {*parts(report.reinitialized)} == {"last_layer"}


def test_a_file_in_half_precision_loads_with_prefixes(networks):
    source = checkpoint(networks["segmentation"], "module.model.")
    half = {k: v.astype("float16") if v.dtype == "float32" else v for k, v in source.items()}
    load_checkpoint(networks["segmentation"], half)
    want = half["module.model.last_layer.3.weight"].astype("float32")
    np.testing.assert_array_equal(kernel(networks["segmentation"], "last_layer.3"), want)


def test_a_network_in_half_precision_takes_the_same_files(networks):
    keras.mixed_precision.set_global_policy("mixed_float16")
    try:
        model = hrnet_tf.segmentation(TINY, 5, SIZE)
    finally:
        keras.mixed_precision.set_global_policy("float32")
    source = checkpoint(networks["segmentation"])
    assert not load_checkpoint(model, source).unused
    np.testing.assert_array_equal(kernel(model, "conv1"), source["conv1.weight"])
