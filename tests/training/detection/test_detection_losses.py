"""Losses of detectors, and their gradients, against mmdetection's numbers."""

import dataclasses
import json

import numpy as np
import pytest
import tensorflow as tf

from hrnet_tf.training.detection import losses
from hrnet_tf.training.detection.assign import RPN, Rule, centerness
from hrnet_tf.training.detection.pool import mask_targets, packed
from hrnet_tf.training.detection.recipe import DetectionRecipe
from hrnet_tf.training.detection.region_losses import (
    SETTINGS,
    Settings,
    Truth,
    box_losses,
    mask_loss,
    rpn_losses,
    sampled_regions,
    settings_of,
)
from hrnet_tf.training.detection.sample import first_keys
from hrnet_tf.training.detection.stages import refined

from golden import rule
from places import FIXTURES


def fixture(name):
    meta = json.loads((FIXTURES / name / "meta.json").read_text())
    return np.load(FIXTURES / name / "data.npz"), meta["losses"]


DATA, VALUES = fixture("det_losses")


def gradient(function, *arrays):
    """A loss and its gradients with respect to the arrays."""
    arrays = [tf.constant(each) for each in arrays]
    with tf.GradientTape() as tape:
        tape.watch(arrays)
        loss = function(*arrays)
    return loss.numpy(), [each.numpy() for each in tape.gradient(loss, arrays)]


def every(assigned, count, share, name):
    return first_keys(assigned.shape[0])


def evenly(assigned, count, share, name):
    """Keys of the fixtures' RPN: evenly spaced among the candidates."""
    if name != "rpn":
        return first_keys(assigned.shape[0])
    assigned = assigned.numpy()
    keys = np.zeros(len(assigned), np.float32)
    positive, negative = (np.flatnonzero(x) for x in (assigned > 0, assigned == 0))
    wanted = min(int(count * share), len(positive))
    for candidates, number in ((positive, wanted), (negative, count - wanted)):
        number = min(number, len(candidates))
        keys[candidates[(np.arange(number) + 1) * len(candidates) // max(number, 1) - 1]] = 1
    return tf.constant(keys)


def test_plain_losses():
    d = DATA
    cases = {
        "softmax_ce": lambda x: (
            losses.softmax_sum(x, d["labels"], d["weights"]) / d["weights"].sum()
        ),
        "softmax_ce_mean": lambda x: losses.softmax_sum(x, d["labels"], tf.ones(24)) / 24,
    }
    for name, function in cases.items():
        loss, (found,) = gradient(function, d["logits"])
        np.testing.assert_allclose(loss, VALUES[name], rtol=1e-4)
        np.testing.assert_allclose(found, d[f"grad_{name}"], atol=1e-5)
    # Label 0 is the object there, label 1 the background.
    truth = np.float32(d["labels"] <= 3)[:, None]
    weights = d["weights"][:, None]
    loss, (found,) = gradient(
        lambda x: losses.sigmoid_sum(x, truth, weights) / weights.sum(), d["logits"][:, :1]
    )
    np.testing.assert_allclose(loss, VALUES["rpn_bce"], rtol=1e-4)
    np.testing.assert_allclose(found, d["grad_rpn_bce"], atol=1e-5)


BETAS = [("smooth_l1_1", 1.0), ("smooth_l1_ninth", 1 / 9), ("l1", 0)]


@pytest.mark.parametrize("name, beta", BETAS)
def test_differences(name, beta):
    loss, (found,) = gradient(
        lambda x: losses.smooth_l1_sum(x, DATA["target"], DATA["box_weights"], beta) / 24,
        DATA["pred"],
    )
    np.testing.assert_allclose(loss, VALUES[name], rtol=1e-4)
    np.testing.assert_allclose(found, DATA[f"grad_{name}"], atol=1e-5)


def test_focal_and_iou():
    d = DATA
    loss, (found,) = gradient(
        lambda x: losses.focal_sum(x, d["focal_labels"], tf.ones(24)) / 7, d["focal_logits"]
    )
    np.testing.assert_allclose(loss, VALUES["focal"], rtol=1e-4)
    np.testing.assert_allclose(found, d["grad_focal"], atol=1e-5)
    weights = d["box_weights"][:, 0]
    loss, (found,) = gradient(
        lambda x: losses.iou_log_sum(x, d["target_boxes"], weights) / weights.sum(), d["boxes"]
    )
    np.testing.assert_allclose(loss, VALUES["iou_log"], rtol=1e-4)
    np.testing.assert_allclose(found, d["grad_iou_log"], atol=1e-5)


def truth_of(objects, classes, sizes, most=9, **more):
    """Objects of images, padded."""
    count = len(objects)
    boxes = [np.pad(np.float32(each), ((0, most - len(each)), (0, 0))) for each in objects]
    classes = [np.pad(np.int32(each), (0, most - len(each))) for each in classes]
    return Truth(
        tf.constant(np.stack(boxes)),
        tf.constant(np.stack(classes)),
        tf.constant(sizes, tf.int32),
        tf.ones(count),
        tf.zeros((count, 2), tf.int32),
        **more,
    )


@pytest.mark.parametrize(
    "name, settings",
    [
        ("rpn_l1_border_off", Settings((RPN,))),
        ("rpn_smooth_border0", Settings((RPN,), rpn_beta=1 / 9, inside=True)),
    ],
)
def test_rpn(name, settings):
    sizes = [(32, 40), (16, 20), (8, 10), (4, 5), (2, 3)]
    maps = []
    for i, (h, w) in enumerate(sizes):
        made = [
            rule.model_input(f"det_losses/shared/{kind}{i}", (2, channels, h, w)) * np.float32(gain)
            for kind, channels, gain in (("cls", 3, 1.5), ("reg", 12, 0.25))
        ]
        maps += [each.transpose(0, 2, 3, 1) for each in made]
    objects = [DATA["rpn_gt0"], DATA["rpn_gt1"]]
    classes = [np.zeros(len(each)) for each in objects]
    truth = truth_of(objects, classes, [(125, 158), (108, 149)], keys=evenly)

    def loss(*maps):
        found = rpn_losses(list(zip(maps[::2], maps[1::2], strict=True)), truth, settings)
        parts.update({key: each.numpy() for key, each in found.items()})
        return found["rpn_class"] + found["rpn_box"]

    parts = {}
    _, found = gradient(loss, *maps)
    values = VALUES[name]
    np.testing.assert_allclose(parts["rpn_class"], sum(values["loss_rpn_cls"]), rtol=1e-4)
    np.testing.assert_allclose(parts["rpn_box"], sum(values["loss_rpn_bbox"]), rtol=1e-4)
    for kind, each in (("cls", found[2]), ("reg", found[3])):
        expected = DATA[f"grad_{name}_{kind}1"].transpose(0, 2, 3, 1)
        np.testing.assert_allclose(each, expected, atol=1e-5)


def sampled(**options):
    """The fixture's regions, all of them."""
    truth = truth_of([DATA["rcnn_gt"]], [DATA["rcnn_gt_labels"]], [(120, 160)], 7, keys=every)
    boxes = tf.constant(DATA["rcnn_proposals"])[None]
    usable = tf.ones(boxes.shape[:2], bool)
    return truth, *sampled_regions(boxes, usable, truth, Rule(0.5, 0.5), "boxes", **options)


@pytest.mark.parametrize(
    "name, kind, width, stage, head",
    [
        ("rcnn", "rcnn_reg", 320, 0, "faster_rcnn"),
        ("cascade_s2", "rcnn_reg_agnostic", 4, 1, "cascade_rcnn"),
    ],
)
def test_regions(name, kind, width, stage, head):
    truth, boxes, found = sampled()
    rows = found.rows.numpy()[0]
    wanted = np.concatenate([DATA["rcnn_pos_inds"], DATA["rcnn_neg_inds"]])
    np.testing.assert_array_equal(rows, wanted)
    logits = rule.model_input("det_losses/shared/rcnn_cls", (137, 81))
    deltas = rule.model_input(f"det_losses/shared/{kind}", (137, width))
    weight, parts = SETTINGS[head].weights[stage], {}

    def loss(logits, deltas):
        args = (logits[None], deltas[None], boxes, found, truth, stage, SETTINGS[head])
        each = {key: x / weight for key, x in box_losses(*args).items()}
        parts.update({key: x.numpy() for key, x in each.items()})
        return each["class"] + each["box"]

    _, (one, two) = gradient(loss, logits, deltas)
    np.testing.assert_allclose(parts["class"], VALUES[name]["loss_cls"], rtol=1e-4)
    np.testing.assert_allclose(parts["box"], VALUES[name]["loss_bbox"], rtol=1e-4)
    for end, each in (("cls", one), ("reg", two)):
        norm = np.linalg.norm(each, axis=1)
        np.testing.assert_allclose(norm, DATA[f"grad_{name}_{end}_norm"], atol=1e-5)


def test_a_recipe_says_how_many_regions_there_are():
    page = DetectionRecipe(arch="w18", train_annotations="", train_images="", input_size=(64, 64))
    cascade = dataclasses.replace(page, head="cascade_rcnn")
    assert settings_of(cascade) == SETTINGS["cascade_rcnn"]
    found = settings_of(dataclasses.replace(cascade, proposals=50, regions=16))
    assert (found.proposals, found.regions) == (50, 16)
    assert dataclasses.replace(cascade, proposals=50).card.proposals == 50
    assert cascade.card.proposals == 1000
    for name, value in {"proposals": -1, "regions": 3, "head_channels": 48}.items():
        with pytest.raises(ValueError, match=f"`{name}` must .* Received: {name}={value}"):
            dataclasses.replace(cascade, **{name: value})


def test_the_first_regions_are_objects():
    _, boxes, found = sampled(count=20)
    assert boxes.shape == (1, 20, 4) and found.used.numpy().all()
    positive = found.positive.numpy()[0]
    assert positive[:5].all() and not positive[5:].any()  # a quarter, at most


def test_masks():
    truth, boxes, found = sampled()
    count = len(DATA["rcnn_pos_inds"])
    objects, boxes = found.objects[0, :count], boxes[0, :count]
    targets = mask_targets(tf.constant(DATA["rcnn_gt_masks"]), objects, boxes, 28).numpy()
    wanted = np.unpackbits(DATA["rcnn_mask_targets"], axis=-1)[..., :28]
    assert (targets != wanted).sum() <= 2
    logits = rule.model_input("det_losses/shared/mask", (count, 80, 28, 28))
    classes = tf.gather(truth.classes[0], objects)
    logits = logits.transpose(0, 2, 3, 1)
    loss = mask_loss(logits, targets, classes, tf.ones(count, bool), truth)
    np.testing.assert_allclose(loss, VALUES["mask_rcnn"], rtol=1e-4)


def test_bits_of_masks():
    masks = np.random.default_rng(0).integers(0, 2, (3, 5, 24))
    np.testing.assert_array_equal(packed(masks), np.packbits(masks, axis=-1))


def test_regions_of_the_next_stage():
    _, boxes, found = sampled()
    deltas = rule.model_input("det_losses/shared/rcnn_reg_agnostic", (137, 4))[None]
    size = tf.constant([(118, 157)])
    moved, usable = refined(boxes, tf.constant(deltas), found, size, 7, 1)
    np.testing.assert_allclose(moved[usable], DATA["refined_boxes"], atol=1e-3)


def test_fcos():
    data, values = fixture("det_fcos")
    sizes, name = data["sizes"].tolist(), "det_fcos/shared/"
    maps = []
    for i, size in enumerate(sizes):
        made = [
            rule.model_input(f"{name}{kind}{i}", (3, channels, *size)).transpose(0, 2, 3, 1)
            for kind, channels in (("cls", 9), ("reg", 4), ("ctr", 1))
        ]
        maps.append(made[0] * np.float32(1.2) - np.float32(2.5))
        maps += [made[1] * np.float32(0.5) + np.float32(2.3 + 0.69 * i), made[2]]
    ends = np.cumsum([0, *(3 * h * w for h, w in sizes)])
    classes, targets = data["labels_plain"], data["targets_plain"]

    def flat(each):
        return tf.concat([tf.reshape(x, (-1, x.shape[-1])) for x in each], axis=0)

    def loss(*maps):
        central = centerness(targets)
        found = losses.fcos_losses(
            flat(maps[::3]),
            flat(maps[1::3]),
            flat(maps[2::3])[:, 0],
            classes,
            targets,
            central,
            tf.ones(len(classes)),
        )
        parts.update({key: x.numpy() for key, x in found.items()})
        return sum(found.values())

    parts = {}
    _, found = gradient(loss, *maps)
    assert ends[-1] == len(classes)
    for key, kind in (("class", "cls"), ("box", "bbox"), ("centerness", "centerness")):
        np.testing.assert_allclose(parts[key], values["plain"][f"loss_{kind}"], rtol=1e-4)
    # The gradient of the fixture's distances is with respect to their exponentials.
    found = found[6], found[7] / np.exp(maps[7]), found[8]
    for kind, each in zip(("cls", "reg", "ctr"), found, strict=True):
        expected = data[f"grad_plain_{kind}2"].transpose(0, 2, 3, 1)
        np.testing.assert_allclose(each, expected, atol=1e-5)
