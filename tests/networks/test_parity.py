"""Every network of the family against the original implementations' names, counts and outputs."""

import keras
import pytest

import hrnet_tf
from hrnet_tf.networks.complexity import complexity
from hrnet_tf.networks.heads import ocr

NETWORKS = {
    "pose_hrnet_w32_256x192": lambda: hrnet_tf.pose("w32"),
    "mmpose_litehrnet18_256x192": lambda: hrnet_tf.pose("lite18"),
    "face_hrnet_w18_wflw": lambda: hrnet_tf.pose("w18", (256, 256, 3), 98, head="v2"),
    "cls_hrnet_w18": lambda: hrnet_tf.classification("w18"),
    "cls_hrnet_w18_small_v1": lambda: hrnet_tf.classification("w18_small_v1"),
    "cls_hrnet_w18_small_v2": lambda: hrnet_tf.classification("w18_small_v2"),
    "cls_hrnet_w48": lambda: hrnet_tf.classification("w48"),
    "seg_hrnet_w18_small_v2_ac0": lambda: hrnet_tf.segmentation("w18_small_v2", 19, (256, 512, 3)),
    "seg_hrnet_w18_small_v2_ac1": lambda: hrnet_tf.segmentation(
        "w18_small_v2", 19, (256, 512, 3), align_corners=True
    ),
    "seg_hrnet_w18_small_v2_ac1_odd": lambda: hrnet_tf.segmentation(
        "w18_small_v2", 19, (237, 317, 3), align_corners=True
    ),
    "seg_hrnet_w48_ac0": lambda: hrnet_tf.segmentation("w48", 19, (256, 512, 3)),
    "seg_hrnet_w48_ocr": lambda: hrnet_tf.segmentation(
        "w48", 19, (256, 512, 3), head="ocr", align_corners=True
    ),
    "mmdet_hrnet_w18_hrfpn": lambda: hrnet_tf.feature_pyramid("w18", (256, 320, 3)),
    "timm_hrnet_w18_features_incre": lambda: hrnet_tf.backbone(
        "w18", (224, 224, 3), "increased", stem=True
    ),
    "timm_hrnet_w18_features_noincre": lambda: hrnet_tf.backbone("w18", (224, 224, 3), stem=True),
}
each_network = pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[pytest.mark.slow] if "w48" in name else []) for name in NETWORKS],
)


@each_network
def test_names_counts_and_outputs_equal_the_originals(golden, name):
    """The original's list of tensors maps one to one onto the network, and so do its numbers."""
    reference = golden(name)
    model = NETWORKS[name]()
    report = hrnet_tf.load_checkpoint(model, reference.weights())

    assert not (report.unused or report.missing or report.mismatched or report.zeroed)
    assert all(key.endswith(".num_batches_tracked") for key in report.ignored)
    assert len(report.loaded) + len(report.ignored) == len(reference.keys)
    assert len(set(report.loaded)) == len(model.weights)

    found = complexity(model)
    assert found.parameters == reference.meta["params"]
    if "lite" not in name:  # the original evaluates some convolutions twice, to the same result
        assert found.multiply_adds == reference.meta["macs_per_image"]

    outputs = keras.tree.flatten(model(reference.image()))
    names = [each for each in reference.meta["outputs"] if each.startswith("output")]
    for output, output_name in zip(outputs, names, strict=True):
        worst, rms = reference.error(output, output_name)
        assert worst <= 3e-4 and rms <= 5e-5, output_name


def test_the_ocr_module_equals_the_original_where_attention_is_sharp(golden):
    """The whole OCR network's rule-made attention is nearly uniform; this unit's is not."""
    reference = golden("ocr_module_unit")
    image = reference.image()
    x = keras.Input(image.shape[1:])
    features, logits = 4 * x[..., :96], 3 * x[..., 96:]
    objects = ocr.regions(features, logits)
    model = keras.Model(x, [objects, ocr.attend(features, objects, 80, key_channels=64)])
    hrnet_tf.load_checkpoint(model, reference.weights())
    for name, output in zip(("object_context", "output"), model(image), strict=True):
        worst, rms = reference.error(output, name)
        assert worst <= 6e-4 and rms <= 5e-5, name
