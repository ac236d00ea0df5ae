"""A look inside shows the crop and puts heat where the codec has it."""

import numpy as np
import pytest

from hrnet_tf.cards.codecs import DARK, UDP
from hrnet_tf.cards.pose import PoseCard
from hrnet_tf.labels.keypoint_sets import KEYPOINT_SETS
from hrnet_tf.tasks.pose.inside import crop_picture, heatmap_picture
from hrnet_tf.tasks.pose.predictor import Inside, Pose

CROP = np.random.default_rng(0).integers(0, 120, (128, 96, 3), dtype=np.uint8)


def _pose(count, peak, keypoint):
    heatmaps = np.zeros((32, 24, count), np.float32)
    heatmaps[peak[1], peak[0], 1] = 1
    points = np.full((count, 2), 5.0)
    points[1] = keypoint
    inside = Inside(CROP, heatmaps, points)
    return Pose(points, np.full(count, 0.5), np.zeros(4), 1.0, inside=inside)


def test_the_crop_is_shown_as_it_is():
    np.testing.assert_array_equal(np.asarray(crop_picture(_pose(17, (0, 0), (0, 0)), None)), CROP)


@pytest.mark.parametrize("codec", [DARK(), UDP()], ids=str)
def test_heat_lies_where_the_codec_has_it(codec):
    """UDP's pixels span the crop from centre to centre, others lie every fourth pixel."""
    peak = np.array([20, 30])
    place = peak * (np.array([95, 127]) / [23, 31] if codec.aligned else 4)
    tile = _tile(heatmap_picture(_pose(17, peak, place), PoseCard(codec=codec)), 1)
    yellow = tile[..., 0].astype(int) - tile[..., 2]
    y, x = np.unravel_index(np.argmax(np.where(yellow > 250, tile[..., 1], 0)), yellow.shape)
    assert np.abs([x, y] - place).max() <= 1


def _tile(picture, index):
    """What is drawn of one keypoint, the ring painted over, without its title."""
    pixels = np.asarray(picture)
    rows = -(-17 // (pixels.shape[1] // 96))
    height = pixels.shape[0] // rows
    tile = pixels[height - 128 : height, 96 * index : 96 * index + 96].copy()
    tile[(tile == (90, 200, 255)).all(axis=-1)] = 0
    return tile


@pytest.mark.parametrize("name", ["coco", "coco_wholebody"])
def test_a_montage_stays_of_a_size(name):
    keypoints = KEYPOINT_SETS[name]
    pose = _pose(len(keypoints.names), (3, 3), (12, 12))
    picture = heatmap_picture(pose, PoseCard(keypoints=keypoints))
    assert picture.width <= 2400
    assert picture.height <= 2400
