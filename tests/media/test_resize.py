"""Resizing of 8-bit images against OpenCV's."""

import numpy as np
import pytest

from hrnet_tf.media.resize import resize, resize_8bit

from places import FIXTURES


@pytest.mark.parametrize("case, flipped", [("a", True), ("b", False)])
def test_8bit_images_equal_those_of_opencv(case, flipped):
    """Larger and smaller; the numbers are of mmdetection's pipeline."""
    with np.load(FIXTURES / "det_pipeline" / "data.npz") as data:
        image, wanted = data["image_bgr"], data[f"{case}_resized_bgr"]
    found = resize_8bit(image, wanted.shape[:2])
    np.testing.assert_array_equal(found[:, ::-1] if flipped else found, wanted)


@pytest.mark.parametrize("old, new", [((1, 1), (9, 4)), ((5, 300), (1, 40)), ((40, 3), (41, 2))])
def test_8bit_images_are_near_exact_results(old, new):
    image = np.random.default_rng(0).integers(0, 256, (*old, 3)).astype(np.uint8)
    found = resize_8bit(image, new)
    assert found.dtype == np.uint8 and found.shape == (*new, 3)
    assert np.abs(found - resize(image, new)).max() <= 1.5
    assert (resize_8bit(image, old) == image).all()
