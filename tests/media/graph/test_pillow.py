"""Resizing in the graph gives Pillow's pixels."""

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from hrnet_tf.media.graph.pillow import resize

FILTERS = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}


@pytest.mark.parametrize("interpolation", FILTERS)
@pytest.mark.parametrize(
    ("have", "whole"),
    [((90, 130), (64, 96)), ((20, 13), (64, 96)), ((300, 47), (64, 50)), ((1, 1), (64, 48))],
)
def test_pixels_are_those_of_pillow(have, whole, interpolation):
    image = np.random.default_rng(0).integers(0, 256, (*have, 3)).astype(np.uint8)
    wanted = Image.fromarray(image).resize(whole[::-1], FILTERS[interpolation])
    corner = (whole[0] - 48, whole[1] - 48)
    ours = resize(
        tf.constant(image), tf.constant(whole), tf.constant(corner), (48, 48), interpolation
    )
    difference = np.abs(np.asarray(wanted)[corner[0] :, corner[1] :].astype(int) - np.asarray(ours))
    assert difference.max() <= 1 and difference.mean() < 0.02


@pytest.mark.parametrize("interpolation", FILTERS)
@pytest.mark.parametrize(
    ("have", "whole"), [((90, 130), (61, 96)), ((20, 13), (64, 96)), ((300, 47), (64, 50))]
)
def test_exact_pixels_are_those_of_pillow_to_the_bit(have, whole, interpolation):
    """Also for parts whose sides are no multiples of the blocks."""
    image = np.random.default_rng(0).integers(0, 256, (*have, 3)).astype(np.uint8)
    wanted = np.asarray(Image.fromarray(image).resize(whole[::-1], FILTERS[interpolation]))
    given = (tf.constant(image), tf.constant(whole), tf.constant((3, 2)), (57, 40), interpolation)
    np.testing.assert_array_equal(resize(*given, exact=True), wanted[3:60, 2:42])
