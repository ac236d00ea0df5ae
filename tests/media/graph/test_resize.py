"""Resizing in the graph is that of `media.resize`."""

import numpy as np
import pytest
import tensorflow as tf

from hrnet_tf.media import resize as numpy
from hrnet_tf.media.graph.resize import resize, resize_8bit

SIZES = [((9, 13), (20, 31)), ((40, 31), (17, 13)), ((5, 7), (5, 7)), ((1, 3), (6, 1))]


@pytest.mark.parametrize("align_corners", [False, True])
@pytest.mark.parametrize(("have", "want"), SIZES)
def test_resize_is_that_of_arrays(have, want, align_corners):
    image = np.random.default_rng(0).normal(size=(*have, 3)).astype("float32")
    wanted = numpy.resize(image, want, align_corners)
    found = resize(tf.constant(image), tf.constant(want), align_corners)
    np.testing.assert_allclose(found, wanted, atol=1e-6)
    rows = tf.range(1, want[0])
    np.testing.assert_array_equal(
        resize(tf.constant(image), tf.constant(want), align_corners, rows), found[1:]
    )


@pytest.mark.parametrize(("have", "want"), SIZES)
def test_resize_of_8_bits_is_that_of_arrays_to_the_bit(have, want):
    image = np.random.default_rng(0).integers(0, 256, (*have, 3)).astype(np.uint8)
    found = resize_8bit(tf.constant(image), tf.constant(want))
    np.testing.assert_array_equal(found, numpy.resize_8bit(image, want))
