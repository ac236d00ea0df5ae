"""Heat over a crop lies where the codec says that the joint is."""

import numpy as np
import pytest

from hrnet_tf.tasks.pose.codecs import DARK, MSRA, UDP, Face, UDPCombined
from hrnet_tf.tasks.pose.heat import overlay

HEIGHT, WIDTH = SIZE = (96, 64)


@pytest.mark.parametrize("codec", [MSRA(1.0), DARK(1.0, 3), Face(), UDP(1.0, 3), UDPCombined()])
@pytest.mark.parametrize("pixel", [(8, 6), (6, 17), (10, 12)])
def test_a_drawn_peak_lies_on_its_joint(codec, pixel):
    """Within half a pixel of the crop, for aligned codecs and for others."""
    column, row = pixel
    joint = np.float32((4 * column, 4 * row))
    if codec.aligned:  # the corners of crop and map are the same points
        joint *= np.float32(((WIDTH - 1) / (WIDTH - 4), (HEIGHT - 1) / (HEIGHT - 4)))
    maps = np.array(codec.encode(joint[None, None], np.ones((1, 1), np.float32), SIZE)[0])
    heat = codec.joint_maps(maps)[0, ..., 0]
    weights = overlay(np.zeros((*SIZE, 3), np.uint8), heat, codec.aligned).sum(axis=-1)
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    drawn = [(weights * axis).sum() / weights.sum() for axis in (x, y)]
    np.testing.assert_allclose(drawn, joint, atol=0.5)
