"""Whole detectors against mmdetection's: names, counts, maps, heads on given regions."""

import numpy as np
import pytest
from whole_detectors import HEADS

import hrnet_tf

MAPS = {"objectness": "rpn_cls", "anchor_deltas": "rpn_reg", "class_logits": "cls"}
MAPS |= {"centerness": "centerness"}
SAMPLES = 12  # a region of the fixtures is 320 pixels long and belongs to the finest map


def detector(golden, head):
    """The network with the weights of the fixture, all of whose tensors are used once."""
    reference = golden(HEADS[head])
    model = hrnet_tf.detection("w18", 80, head, (256, 320, 3), samples=SAMPLES)
    report = hrnet_tf.load_checkpoint(model, reference.weights())
    assert not (report.unused or report.missing or report.mismatched or report.zeroed)
    assert all(key.endswith(".num_batches_tracked") for key in report.ignored)
    assert len(report.loaded) + len(report.ignored) == len(reference.keys)
    assert len(set(report.loaded)) == len(model.weights)
    assert sum(int(np.prod(w.shape)) for w in model.trainable_weights) == reference.meta["params"]
    return model, reference


def check(reference, output, name, limit=3e-4):
    worst, rms = reference.error(output, name)
    assert worst <= limit and rms <= limit / 6, (name, worst, rms)


def check_maps(reference, outputs):
    for key, output in outputs.items():
        kind, _, level = key.rpartition("_P")
        if kind in MAPS:
            first = 2 if kind in ("objectness", "anchor_deltas") else 3
            check(reference, output, f"{MAPS[kind]}{int(level) - first}")


def test_fcos_equals_the_original(golden):
    model, reference = detector(golden, "fcos")
    outputs = model(reference.image())
    check_maps(reference, outputs)
    for level in range(5):
        wanted = np.log(reference.expected[f"bbox{level}"]).transpose(0, 2, 3, 1)
        found = np.asarray(outputs[f"log_distances_P{level + 3}"])
        assert np.abs(found - wanted).max() <= 1e-3 * wanted.std()


@pytest.mark.parametrize(
    "head", ["faster_rcnn", *(pytest.param(h, marks=pytest.mark.slow) for h in [*HEADS][2:])]
)
def test_region_detectors_equal_the_original(golden, head):
    """Stage s of a cascade sees the regions that stage s - 1 has refined; masks see the given."""
    model, reference = detector(golden, head)
    rois = reference.expected["rois"]
    assert not rois[:, 0].any()
    many = "s0.cls_score" in reference.meta["outputs"]
    for stage in range(1, 4 if many else 2):
        prefix = f"s{stage - 1}." if many else ""
        outputs = model({"image": reference.image(), "boxes": rois[None, :, 1:]})
        check(reference, outputs[f"class_logits_{stage}"][0], f"{prefix}cls_score")
        check(reference, outputs[f"box_deltas_{stage}"][0], f"{prefix}bbox_pred")
        if stage == 1:
            check_maps(reference, {k: x for k, x in outputs.items() if "_P" in k})
            for name in (key for key in outputs if key.startswith("mask_logits")):
                wanted = f"s{int(name[-1]) - 1}.mask_logits" if many else "mask_logits"
                check(reference, outputs[name][0], wanted, 6e-4)
            if head == "htc":
                check(reference, outputs["semantic_logits"], "semantic_pred")
        rois = reference.expected.get(f"{prefix}rois", rois)
