"""Pooling in groups gives what the network's RoIAlign gives, for any box, compiled once."""

import keras
import numpy as np
import pytest
from keras import ops

from hrnet_tf.networks.heads.roi import roi_align
from hrnet_tf.tasks.detection import pooling
from hrnet_tf.tasks.detection.pooling import pool

STRIDES = (4, 8, 16, 32)
RNG = np.random.default_rng(0)


def some_maps(height=256, width=320):
    return [RNG.standard_normal((height // s, width // s, 3)).astype("float32") for s in STRIDES]


def some_boxes(count=60):
    """Of all sizes and shapes, some outside, one empty, one reversed, one longer than the image."""
    center, side = RNG.uniform(0, 320, (count, 2)), np.exp(RNG.uniform(0, 6, (count, 2)))
    boxes = np.concatenate([center - side / 2, center + side / 2], axis=1)
    special = [[5, 5, 5, 5], [50, 50, 10, 10], [-201, 30, 602, 34], [700, 700, 800, 800]]
    return np.concatenate([boxes, special]).astype("float32")


@pytest.mark.parametrize("geometry", ["continuous", "inclusive"])
def test_groups_equal_the_networks_pooling(geometry):
    maps, boxes, size = some_maps(), some_boxes(), 7
    whole = [ops.convert_to_tensor(x[None]) for x in maps]
    options = {"ratio": 2} if geometry == "inclusive" else {"samples": 32}
    wanted = roi_align(whole, boxes[None], size, STRIDES, geometry=geometry, **options)
    found = pool(maps, boxes, size, STRIDES, geometry)
    np.testing.assert_allclose(found, ops.convert_to_numpy(wanted), atol=1e-4)


def test_chunks_change_nothing(monkeypatch):
    maps, boxes = some_maps(), some_boxes()
    wanted = pool(maps, boxes, 7, STRIDES)
    monkeypatch.setattr(pooling, "WINDOW_BYTES", 1)
    np.testing.assert_allclose(pool(maps, boxes, 7, STRIDES), wanted, atol=1e-4)


def test_no_boxes_and_no_numbers():
    assert pool(some_maps(), np.zeros((0, 4)), 7, STRIDES).shape == (0, 7, 7, 3)
    odd = np.float32([[np.nan] * 4, [0, 0, np.inf, 9], [0, 0, 50, 50]])
    found = pool(some_maps(), odd, 7, STRIDES)
    assert np.isfinite(found[2]).all() and found[2].any()


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="tf.function")
def test_other_sizes_are_not_compiled_anew(monkeypatch):
    """Images differ in size, boxes in number and windows in length; graphs serve them all."""
    traced = []
    pooling._function.cache_clear()
    monkeypatch.setattr(
        pooling, "roi_align", lambda *args, **rest: traced.append(1) or roi_align(*args, **rest)
    )
    for height, width in ((256, 320), (320, 256), (64, 96)):
        pool(some_maps(height, width), some_boxes(), 7, STRIDES)
    pooling._function.cache_clear()
    assert len(traced) == 1
