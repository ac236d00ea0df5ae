"""RoIAlign and the levels of regions against mmcv's and the kernel of mmdetection 1."""

import keras
import numpy as np
import pytest
from keras import ops

from hrnet_tf.networks.heads.roi import levels_of, roi_align

from golden import rule
from places import FIXTURES

DATA = np.load(FIXTURES / "det_roi_align" / "data.npz")
LEVELS = np.load(FIXTURES / "det_fpn_levels" / "data.npz")
TOLERANCE = 3e-5  # of values of std 1
# The longest region has 58 cells: 12 samples in one of 5 bins.
CASES = {
    "out7_ratio0_aligned": dict(size=7, samples=9),
    "out14_ratio0_aligned": dict(size=14, samples=5),
    "out7_ratio0_old": dict(size=7, samples=9, geometry="unaligned"),
    "out7_ratio1_aligned": dict(size=7, ratio=1),
    "out7_ratio1_old": dict(size=7, ratio=1, geometry="unaligned"),
    "out7_ratio2_aligned": dict(size=7, ratio=2),
    "out14_ratio2_aligned": dict(size=14, ratio=2),
    "out7_ratio2_old": dict(size=7, ratio=2, geometry="unaligned"),
    "out7_stride8": dict(size=7, samples=5, strides=(8,)),
    "out5x9_ratio0_aligned": dict(size=(5, 9), samples=(11, 7)),
    "legacy_out7_ratio2": dict(size=7, ratio=2, geometry="inclusive"),
}


def pooled(maps, rois, **options):
    """`roi_align` for regions (N, 5) that begin with the index of their image, NCHW as in torch."""
    images = len(maps[0])
    most = max(np.sum(rois[:, 0] == i) for i in range(images))
    boxes, places = np.zeros((images, most, 4), "float32"), np.zeros(len(rois), int)
    for i in range(images):
        (own,) = np.nonzero(rois[:, 0] == i)
        boxes[i, : len(own)] = rois[own, 1:]
        places[own] = i * most + np.arange(len(own))
    found = roi_align([ops.convert_to_tensor(x) for x in maps], boxes, **options)
    return ops.convert_to_numpy(found)[places].transpose(0, 3, 1, 2)


@pytest.mark.parametrize("name", CASES)
def test_roi_align_equals_the_originals(name):
    features = DATA["features"].transpose(0, 2, 3, 1)
    rois = DATA["legacy_rois" if "legacy" in name else "rois"]
    found = pooled([features], rois, **{"strides": (4,), **CASES[name]})
    wanted = DATA[name]
    assert np.abs(found[:, : wanted.shape[1]] - wanted).max() <= TOLERANCE


def test_longer_regions_take_half_the_samples():
    """Two samples per bin where `samples` 4 does not suffice; others stay exact."""
    features = DATA["features"].transpose(0, 2, 3, 1)
    rois = DATA["rois"]
    sides = (rois[:, 3:] - rois[:, 1:3]) / 4
    found = pooled([features], rois, size=7, strides=(4,), samples=4)
    small, large = (sides <= 28).all(axis=1), (sides > 28).all(axis=1)
    exact, two = (DATA[f"out7_ratio{ratio}_aligned"] for ratio in (0, 2))
    assert np.abs(found - exact)[small].max() <= TOLERANCE
    assert not large.any() or np.abs(found - two)[large].max() <= TOLERANCE
    long = pooled([features], np.float32([[0, -10, -10, 130, 120]]), size=7, strides=(4,))
    wanted = pooled(
        [features], np.float32([[0, -10, -10, 130, 120]]), size=7, strides=(4,), ratio=2
    )
    assert np.abs(long - wanted).max() <= TOLERANCE


def test_levels_equal_the_originals():
    boxes = LEVELS["rois"][:, 1:]
    for inclusive, name in ((False, "levels"), (True, "legacy_levels")):
        found = ops.convert_to_numpy(levels_of(boxes, 4, inclusive))
        np.testing.assert_array_equal(found, LEVELS[name])


def test_each_region_is_pooled_from_its_own_map():
    maps = [
        rule.model_input(f"det_fpn_levels/shared/{i}", (1, 5, *map(int, size)))
        for i, size in enumerate(LEVELS["map_sizes"])
    ]
    maps = [x.transpose(0, 2, 3, 1) for x in maps]
    options = dict(size=7, strides=(4, 8, 16, 32), samples=16)
    found = pooled(maps, LEVELS["rois"], **options)[:, :, ::3, ::2]
    assert np.abs(found - LEVELS["pooled"]).max() <= TOLERANCE


def test_graphs_of_open_size_pool_as_arrays_do():
    features = DATA["features"].transpose(0, 2, 3, 1)
    boxes = np.stack([DATA["rois"][:8, 1:], DATA["rois"][8:, 1:]])
    inputs = keras.Input((None, None, 6)), keras.Input((None, 4))
    options = dict(size=7, strides=(4,), samples=9)
    model = keras.Model(inputs, roi_align([inputs[0]], inputs[1], **options))
    wanted = roi_align([ops.convert_to_tensor(features)], boxes, **options)
    np.testing.assert_allclose(model([features, boxes]), wanted, atol=1e-6)


def test_not_a_number_stays_one_and_harms_no_other_region():
    features = DATA["features"][:1].transpose(0, 2, 3, 1)
    boxes = np.float32([[[np.nan, 0, 9, 9], [0, 0, 40, 40], [0, 0, np.inf, 30], [50, 50, 10, 10]]])
    found = ops.convert_to_numpy(roi_align([ops.convert_to_tensor(features)], boxes, 7, (4,)))
    alone = roi_align([ops.convert_to_tensor(features)], boxes[:, 1:2], 7, (4,))
    np.testing.assert_allclose(found[1], ops.convert_to_numpy(alone)[0], atol=1e-6)
    assert not found[3].any()
