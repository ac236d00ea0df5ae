"""Assigning, sampling and targets of detectors against mmdetection's numbers."""

from itertools import pairwise

import numpy as np
import pytest
import tensorflow as tf

from hrnet_tf.tasks.detection.anchors import anchors, points
from hrnet_tf.tasks.detection.deltas import STAGE_STDS, encode
from hrnet_tf.training.detection.assign import (
    RANGES,
    RPN,
    Rule,
    assign,
    centerness,
    overlaps,
    points_targets,
)
from hrnet_tf.training.detection.sample import first_keys, sample

from places import FIXTURES

RULES = {
    "faster": Rule(0.5, 0.5),
    "mask": Rule(0.5, 0.5, 0.5),
    "s2": Rule(0.6, 0.6),
    "s3": Rule(0.7, 0.7),
    "rpn": RPN,
}


def fixture(name):
    return np.load(FIXTURES / name / "data.npz")


def padded(boxes, count=9):
    return np.pad(np.float32(boxes).reshape(-1, 4), ((0, count - len(boxes)), (0, 0)))


def test_overlaps():
    data = fixture("det_assigner")
    found = overlaps(data["gt"], data["priors"]).numpy()
    np.testing.assert_allclose(found, data["overlaps"], atol=1e-6)


@pytest.mark.parametrize("name", RULES)
def test_objects_of_boxes(name):
    """Padding objects with zeros changes nothing."""
    data = fixture("det_assigner")
    everywhere = np.ones(len(data["priors"]), bool)
    for objects in (data["gt"], padded(data["gt"])):
        found = assign(objects, data["priors"], everywhere, RULES[name])
        np.testing.assert_array_equal(found, data[f"gt_inds_{name}"])


def test_without_objects_everything_is_background():
    data = fixture("det_assigner")
    found = assign(padded([]), data["priors"], np.ones(130, bool), RULES["mask"])
    np.testing.assert_array_equal(found, data["gt_inds_no_objects"])


def test_ties_between_anchors():
    data = fixture("det_assigner")
    sizes = fixture("det_rpn_proposals")["sizes"].tolist()
    boxes = np.concatenate([anchors(h, w, 4 * 2**i) for i, (h, w) in enumerate(sizes)])
    found = assign(data["anchor_gt"], boxes, np.ones(len(boxes), bool), RPN).numpy()
    np.testing.assert_array_equal(np.flatnonzero(found > 0), data["anchor_pos"])
    np.testing.assert_array_equal(found[found > 0], data["anchor_pos_gt"])
    np.testing.assert_array_equal([(found == i).sum() for i in (-1, 0)], data["anchor_counts"])


@pytest.mark.parametrize("case, count", [("all", 512), ("cut", 64)])
def test_samples(case, count):
    data = fixture("det_sampler")
    boxes = np.concatenate([data["gt"], data["proposals"]])
    assigned = assign(data["gt"], boxes, np.ones(len(boxes), bool), RULES["faster"])
    found = sample(assigned, first_keys(len(boxes)), count, 0.25)
    rows, objects, used = (each.numpy() for each in found)
    positive = objects >= 0
    wanted = data[f"pos_inds_{case}"], data[f"neg_inds_{case}"]
    np.testing.assert_array_equal(rows[positive], wanted[0])
    np.testing.assert_array_equal(rows[used & ~positive], wanted[1])
    np.testing.assert_array_equal(objects[positive], data[f"pos_gt_{case}"])
    np.testing.assert_array_equal(np.flatnonzero(positive), np.arange(positive.sum()))
    own = objects[positive]
    deltas = encode(boxes[rows[positive]], data["gt"][own], STAGE_STDS[0])
    expected = data[f"target_deltas_{case}"][: len(own)]
    np.testing.assert_allclose(deltas, expected, atol=2e-4)
    np.testing.assert_array_equal(data["labels"][own], data[f"target_labels_{case}"][: len(own)])


def test_random_samples_have_the_right_counts():
    assigned = tf.constant([1] * 100 + [0] * 100 + [-1] * 50)
    keys = tf.random.stateless_uniform((250,), (1, 2))
    found = sample(assigned, keys, 64, 0.25)
    assert found.used.numpy().all() and found.positive.numpy().sum() == 16
    assert len(set(found.rows.numpy())) == 64 and found.rows.numpy().max() < 200


def test_points_of_fcos():
    data = fixture("det_fcos")
    sizes = data["sizes"].tolist()
    where = np.concatenate([points(h, w, 8 * 2**i) for i, (h, w) in enumerate(sizes)])
    counts = [h * w for h, w in sizes]
    limits = np.repeat(RANGES, counts, axis=0)
    found = [
        points_targets(
            padded(data[f"gt{i}"]),
            np.pad(data[f"gt_labels{i}"], (0, 9 - len(data[f"gt_labels{i}"]))),
            where,
            np.float32(limits),
            9,
        )
        for i in range(3)
    ]
    # The fixture goes through the levels, and within them through the images.
    parts = list(pairwise(np.cumsum([0, *counts])))
    classes = np.concatenate([c.numpy()[a:b] for a, b in parts for c, _ in found])
    distances = np.concatenate([d.numpy()[a:b] for a, b in parts for _, d in found])
    np.testing.assert_array_equal(classes, data["labels_plain"])
    np.testing.assert_allclose(distances, data["targets_plain"], atol=1e-3)
    central = centerness(distances[classes < 9]).numpy()
    np.testing.assert_allclose(central, data["centerness_plain"], atol=1e-5)
