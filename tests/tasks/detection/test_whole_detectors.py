"""Whole detectors against mmdetection's: from the network's input to boxes and masks."""

import numpy as np
import pytest
from whole_detectors import HEADS

import hrnet_tf
from hrnet_tf.cards.detection import DetectionCard
from hrnet_tf.tasks.detection import regions
from hrnet_tf.tasks.detection.predictor import DetectionPredictor
from hrnet_tf.tasks.detection.prepare import Prepared
from hrnet_tf.tasks.detection.proposals import proposals

HTC = {"score_threshold": 0.001, "mask_stages": "last", "most": 30}


def detector(golden, head):
    """A predictor with the fixture's weights, the fixture, and its image as `Prepared`."""
    reference = golden(HEADS[head])
    model = hrnet_tf.detection("w18", 80, head)
    hrnet_tf.load_checkpoint(model, reference.weights())
    facts = reference.meta["images"][0]
    scale = np.float32(facts["scale_factor"])
    sizes = tuple(facts["img_shape"]), scale, tuple(facts["ori_shape"])
    card = DetectionCard(head=head, **(HTC if head == "htc" else {}))
    return DetectionPredictor(model, card), reference, Prepared(reference.image()[0], *sizes)


def check(found, expected, name, width):
    """At least 97 % of the objects are there: same class, box within .05 px, score within 1e-3."""
    boxes, scores, labels = (expected[f"{name}/{kind}"] for kind in ("bboxes", "scores", "labels"))
    corners = np.concatenate([found.boxes[:, :2], found.boxes[:, :2] + found.boxes[:, 2:]], axis=1)
    near = np.abs(corners[None] - boxes[:, None]).max(axis=2) <= 0.05
    near &= np.abs(found.scores - scores[:, None]) <= 1e-3
    near &= found.classes == labels[:, None]
    assert abs(len(found) - len(boxes)) <= 0.03 * len(boxes)
    assert near.any(axis=1).mean() >= 0.97
    if f"{name}/masks" not in expected:
        assert found.masks is None
        return
    masks = np.unpackbits(expected[f"{name}/masks"], axis=-1)[..., :width].astype(bool)
    wrong = [
        (found.mask(near[i].argmax()) != mask).sum()
        for i, mask in enumerate(masks)
        if near[i].any()
    ]
    assert len(wrong) >= 0.97 * len(masks)
    assert sum(wrong) <= 1e-4 * masks.size
    if f"{name}/masks_area" in expected:
        area = [found.mask(near[i].argmax()).sum() for i in range(len(boxes)) if near[i].any()]
        wanted = expected[f"{name}/masks_area"][near.any(axis=1)]
        assert np.abs(area - wanted).sum() <= 1e-4 * wanted.size * masks[0].size


def test_fcos(golden):
    predictor, reference, image = detector(golden, "fcos")
    check(predictor.detect(image), reference.expected, "predict/0", image.original[1])


@pytest.mark.parametrize(
    "head",
    [
        "mask_rcnn",
        *(pytest.param(h, marks=pytest.mark.slow) for h in list(HEADS)[1:] if h != "mask_rcnn"),
    ],
)
def test_regions(golden, head, monkeypatch):
    """Proposals, objects from given regions, and objects from the input."""
    predictor, reference, image = detector(golden, head)
    expected, seen = reference.expected, []

    def noted(*arguments, **options):
        seen.append(proposals(*arguments, **options))
        return seen[-1]

    monkeypatch.setattr(regions, "proposals", noted)
    check(predictor.detect(image), expected, "predict/0", image.original[1])
    [(boxes, scores)] = seen
    near = np.abs(boxes[:, None] - expected["proposals/0/bboxes"]).max(axis=2) <= 0.05
    near &= np.abs(scores[:, None] - expected["proposals/0/scores"]) <= 1e-3
    assert near.any(axis=0).mean() >= 0.97 and len(boxes) == near.shape[1]
    rois = expected["rois"][:, 1:]
    monkeypatch.setattr(regions, "proposals", lambda *arguments, **options: (rois, None))
    check(predictor.detect(image), expected, "from_rois/0", image.original[1])
