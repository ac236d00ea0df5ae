"""Boxes of detectors: where they lie, and which of them count."""

import numpy as np
import pytest

from hrnet_tf.tasks.detection.boxes import choose, fit
from hrnet_tf.tasks.detection.options import Choice


@pytest.mark.parametrize("letterbox", [False, True])
@pytest.mark.parametrize("shape", [(60, 100), (100, 60), (64, 64), (7, 300)])
def test_a_place_is_found_again_in_what_the_detector_sees(shape, letterbox):
    """The white rectangle of an image is where scale and shift say, to half a pixel."""
    image = np.zeros((*shape, 3), np.uint8)
    low, high = np.array(shape) // 4, np.array(shape) - np.array(shape) // 5
    image[low[0] : high[0], low[1] : high[1]] = 255
    pixels, (scale, shift) = fit(image, (64, 80), letterbox)
    assert pixels.shape == (64, 80, 3)
    seen = np.argwhere(pixels[..., 0] >= 128)
    found = np.array([seen.min(axis=0), seen.max(axis=0) + 1])[:, ::-1]
    expected = np.array([low, high])[:, ::-1] * scale + shift
    assert np.abs(found - expected).max() <= 0.51


def test_a_letterbox_keeps_the_shape_and_centres_it():
    pixels, (scale, shift) = fit(np.full((50, 100, 3), 255, np.uint8), (80, 80), True)
    assert scale.tolist() == [0.8, 0.8]
    assert shift.tolist() == [0, 20]
    assert pixels[20:60].min() == 255
    assert pixels[:20].max() == pixels[60:].max() == 0


def _corners(*boxes):
    return np.array([[[x, y], [x + w, y + h]] for x, y, w, h in boxes], float)


def test_boxes_are_clipped_sorted_and_written_as_x_y_width_height():
    corners = _corners((10, 10, 20, 30), (-5, 50, 20, 100))
    boxes, scores = choose(corners, np.array([0.5, 0.75]), (80, 60))
    assert boxes.tolist() == [[0, 50, 15, 30], [10, 10, 20, 30]]
    assert scores.tolist() == [0.75, 0.5]
    assert boxes.dtype == scores.dtype == np.float32


def test_what_is_no_box_is_left_out():
    corners = _corners((90, 10, 5, 5), (10, 10, 0, 5), (10, 10, np.nan, 5), (20, 20, -5, 9))
    boxes, scores = choose(corners, np.ones(4), (80, 60))
    assert boxes.shape == (0, 4)
    assert scores.shape == (0,)


@pytest.mark.parametrize(
    ("options", "kept"),
    [
        (Choice(), [0.9, 0.5, 0.3]),
        (Choice(score_threshold=0.4), [0.9, 0.5]),
        (Choice(nms=0.4), [0.9, 0.3]),  # the boxes of .9 and .5 share a half
        (Choice(nms=0.0), [0.9, 0.3]),
        (Choice(nms=1.0, score_threshold=0.1), [0.9, 0.5, 0.3, 0.2]),
        (Choice(max_persons=1), [0.9]),
        (Choice(min_size=31), [0.9, 0.5]),
        (Choice(min_size=30), [0.9, 0.5, 0.3]),
        (Choice(min_size=50), []),
    ],
    ids=str,
)
def test_options_choose(options, kept):
    corners = _corners((0, 0, 20, 40), (0, 0, 20, 20), (0, 0, 20, 40), (30, 0, 10, 30))
    corners[1] = [[0, 0], [40, 40]]
    _, scores = choose(corners, np.array([0.9, 0.5, 0.2, 0.3]), (80, 60), options)
    assert scores.tolist() == pytest.approx(kept)


def test_nms_keeps_what_only_a_left_out_box_overlaps():
    """Best first, and a box that fell itself makes no other fall."""
    corners = _corners((0, 0, 10, 10), (4, 0, 10, 10), (8, 0, 10, 10))
    _, scores = choose(corners, np.array([0.9, 0.8, 0.7]), (80, 60), Choice(nms=0.3))
    assert scores.tolist() == pytest.approx([0.9, 0.7])


@pytest.mark.parametrize(
    "arguments", [dict(nms=1.5), dict(nms=-0.1), dict(max_persons=0), dict(min_size=-1)], ids=str
)
def test_options_out_of_range_are_refused(arguments):
    with pytest.raises(ValueError, match=r"`nms` must be within 0\.\.1"):
        Choice(**arguments)
