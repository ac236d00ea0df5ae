"""Skeletons and maps of classes: where they are drawn, and that they show on any background."""

import dataclasses
import io

import numpy as np
import pytest
from PIL import Image

from hrnet_tf.labels.classes import ADE20K, CITYSCAPES
from hrnet_tf.labels.keypoint_sets import COCO, WFLW
from hrnet_tf.tasks.pose.draw import draw_poses
from hrnet_tf.tasks.pose.predictor import Pose
from hrnet_tf.tasks.segmentation.draw import draw_classes, label_picture


def _pose(points, scores=1.0, box=(0, 0, 100, 100), keypoints=COCO):
    """A pose with joints at `points` {id: (x, y)} and the others unseen."""
    places = np.zeros((len(keypoints.names), 2), np.float32)
    seen = np.zeros(len(keypoints.names), np.float32)
    for joint, point in points.items():
        places[joint], seen[joint] = point, scores
    return Pose(places, seen, np.array(box, np.float32), 1.0)


def _changed(before, after):
    return (before != after).any(axis=-1)


@pytest.mark.parametrize("grey", [0, 128, 255])
def test_a_joint_has_its_colour_and_a_dark_rim_on_any_background(grey):
    image = np.full((80, 80, 3), grey, np.uint8)
    drawn = draw_poses(image, [_pose({15: (40, 30)}, box=(0, 0, 80, 80))], COCO)
    assert tuple(drawn[30, 40]) == COCO.point_colors[15]
    darkest = drawn[_changed(image, drawn)].mean(axis=1).min()
    assert darkest < 80
    assert (image == grey).all()  # the input is not drawn on


@pytest.mark.parametrize("point", [(40.0, 30.0), (40.5, 30.0), (40.25, 30.75)])
def test_a_joint_is_drawn_where_it_is(point):
    """Pixel centres are at integers; a shift by half a pixel would show."""
    image = np.full((80, 80, 3), 255, np.uint8)
    drawn = draw_poses(image, [_pose({0: point}, box=(0, 0, 80, 80))], COCO)
    ink = 765 - drawn.sum(axis=-1, dtype=float)
    y, x = np.indices(ink.shape)
    center = (x * ink).sum() / ink.sum(), (y * ink).sum() / ink.sum()
    assert center == pytest.approx(point, abs=0.15)


def test_a_limb_joins_its_joints_in_the_limbs_colour():
    a, b = COCO.skeleton[0]
    pose = _pose({a: (20, 20), b: (20, 180)}, box=(0, 0, 200, 200))
    drawn = draw_poses(np.zeros((200, 200, 3), np.uint8), [pose], COCO)
    assert tuple(drawn[100, 20]) == COCO.colors[0]


def test_unsure_joints_and_their_limbs_are_left_out():
    image = np.full((200, 200, 3), 90, np.uint8)
    a, b = COCO.skeleton[0]
    pose = _pose({a: (20, 20), b: (20, 180)})
    pose.scores[b] = 0.1
    drawn = draw_poses(image, [pose], COCO)
    assert not _changed(image, drawn)[40:].any()
    assert _changed(image, draw_poses(image, [pose], COCO, min_score=0.05))[170:].any()


def test_poses_outside_or_without_joints_change_nothing():
    image = np.full((50, 60, 3), 90, np.uint8)
    outside = _pose({0: (300, 20), 5: (340, 90)}), _pose({0: (-300, -20)})
    for pose in (*outside, _pose({})):
        assert not _changed(image, draw_poses(image, [pose], COCO)).any()


def test_a_joint_on_the_border_is_cut_not_moved():
    image = np.full((50, 60, 3), 90, np.uint8)
    drawn = draw_poses(image, [_pose({0: (0, 25)}, box=(0, 0, 60, 50))], COCO)
    assert tuple(drawn[25, 0]) == COCO.point_colors[0]
    assert not _changed(image, drawn)[:, 10:].any()


def test_lines_grow_with_person_and_picture():
    """A crowd's small faces keep thin lines; a large photo of the same scene has thicker ones."""

    def thickness(side, person):
        a, b = COCO.skeleton[0]
        pose = _pose({a: (50, 20), b: (50, 20 + person)}, box=(0, 0, person, person))
        image = np.zeros((side, side, 3), np.uint8)
        return (draw_poses(image, [pose], COCO)[20 + person // 2].max(axis=-1) > 60).sum()

    assert thickness(600, 60) <= 3
    assert thickness(600, 60) < thickness(600, 500) < thickness(3000, 500)


def test_small_persons_lie_over_large_ones():
    """Whatever the order they come in."""
    a, b = COCO.skeleton[0]
    large = _pose({a: (50, 0), b: (50, 400)}, box=(0, 0, 400, 400))
    small = _pose({9: (50, 200)}, box=(40, 180, 40, 40))
    for poses in ([large, small], [small, large]):
        drawn = draw_poses(np.zeros((420, 420, 3), np.uint8), poses, COCO)
        assert tuple(drawn[200, 50]) == COCO.point_colors[9]


def test_boxes_are_drawn_on_request():
    image = np.full((100, 100, 3), 90, np.uint8)
    pose = _pose({}, box=(20, 30, 40, 50))
    drawn = draw_poses(image, [pose], COCO, boxes=True)
    assert tuple(drawn[30, 40]) == (255, 255, 255)
    assert not _changed(image, drawn)[40:70, 30:50].any()


def _tag(drawn, image):
    """The commonest colour of what was drawn above y = 40, and where it was drawn."""
    rows, columns = np.nonzero(_changed(image, drawn)[:40])
    colors, counts = np.unique(drawn[rows, columns], axis=0, return_counts=True)
    return tuple(colors[counts.argmax()]), (columns.min(), rows.min(), columns.max(), rows.max())


def test_a_person_of_a_video_has_a_number_always_in_the_same_colour():
    """Other numbers have other colours; a picture's people have none."""
    image = np.full((200, 300, 3), 90, np.uint8)
    colors = []
    for number, x in ((1, 100), (1, 180), (2, 100), (3, 100)):
        pose = dataclasses.replace(_pose({0: (x, 120)}, box=(x - 30, 30, 60, 150)), id=number)
        color, place = _tag(draw_poses(image, [pose], COCO), image)
        assert (place[0] + place[2]) / 2 == pytest.approx(x, abs=1)
        colors.append(np.array(color, int))
    assert (colors[0] == colors[1]).all()
    for a, b in ((0, 2), (0, 3), (2, 3)):
        assert np.abs(colors[a] - colors[b]).max() > 60
    plain = draw_poses(image, [_pose({0: (100, 120)}, box=(70, 30, 60, 150))], COCO)
    assert not _changed(image, plain)[:40].any()


@pytest.mark.parametrize("corner", [(-80, -90), (260, -20), (-20, 190)])
def test_the_number_of_a_person_at_the_border_stays_in_the_picture(corner):
    image = np.full((200, 300, 3), 90, np.uint8)
    pose = _pose({0: (150, 100)}, box=(*corner, 90, 100))
    without = draw_poses(image, [pose], COCO)
    drawn = draw_poses(image, [dataclasses.replace(pose, id=12)], COCO)
    rows, columns = np.nonzero(_changed(without, drawn))
    assert len(rows) > 150 and np.ptp(columns) > 12  # two digits and their tag
    assert not _changed(without, draw_poses(image, [dataclasses.replace(_pose({}), id=1)], COCO))[
        :90
    ].any()


def test_dense_points_stay_apart():
    """The 98 points of a face would merge into a blob at the size of a body's joints."""
    places = {i: (20 + 9 * (i % 12), 20 + 9 * (i // 12)) for i in range(len(WFLW.names))}
    image = np.full((120, 150, 3), 255, np.uint8)
    drawn = draw_poses(image, [_pose(places, box=(0, 0, 120, 120), keypoints=WFLW)], WFLW)
    assert tuple(drawn[20, 20]) == WFLW.point_colors[0]
    assert not _changed(image, drawn)[20, 24:26].any()


NAMES, PALETTE = ("red", "blue"), ((255, 0, 0), (0, 0, 255))


def _halves(height, width):
    """Class 0 on the left, class 1 on the right."""
    labels = np.zeros((height, width), np.uint8)
    labels[:, width // 2 :] = 1
    return labels


def test_classes_tint_the_picture_which_shows_through():
    image = np.full((100, 200, 3), 100, np.uint8)
    image[:50] = 200
    drawn = draw_classes(image, _halves(100, 200), NAMES, PALETTE, alpha=0.5)
    assert tuple(drawn[75, 50]) == (178, 50, 50)
    assert tuple(drawn[75, 150]) == (50, 50, 178)
    assert tuple(drawn[25, 150]) == (100, 100, 228)


@pytest.mark.parametrize("side", [60, 4000])
def test_a_dark_line_parts_the_classes_and_grows_with_the_picture(side):
    """Two classes of ADE20K share a colour, and similar ones touch."""
    image = np.full((side, side, 3), 200, np.uint8)
    same = ((200, 200, 200),) * 2
    row = draw_classes(image, _halves(side, side), NAMES, same)[side // 3, :, 0]
    dark = np.flatnonzero(row < 100)
    assert abs(dark.mean() - (side / 2 - 0.5)) <= 1
    assert len(dark) == (1 if side == 60 else 5)
    assert (np.delete(row, dark) == 200).all()


def test_ignored_pixels_stay_as_they_were():
    image = np.full((40, 60, 3), 90, np.uint8)
    labels = np.full((40, 60), 255, np.uint8)
    np.testing.assert_array_equal(draw_classes(image, labels, NAMES, PALETTE), image)


def test_the_legend_shows_what_is_in_the_picture_only():
    """Below the picture, which stays whole; specks do not fill it."""
    image = np.zeros((300, 400, 3), np.uint8)
    labels = np.full((300, 400), CITYSCAPES.names.index("car"), np.uint8)
    labels[0, :5] = CITYSCAPES.names.index("sky")
    drawn = draw_classes(image, labels, CITYSCAPES.names, CITYSCAPES.palette)
    legend = drawn[300:].reshape(-1, 3)
    assert drawn.shape[1] == 400
    assert 20 < len(legend) / 400 < 60
    for name, there in (("car", True), ("sky", False), ("road", False)):
        color = CITYSCAPES.palette[CITYSCAPES.names.index(name)]
        assert (legend == color).all(axis=-1).any() == there


@pytest.mark.parametrize("size", [(40, 30), (300, 400), (1500, 1000)])
def test_a_long_legend_wraps_inside_the_width(size):
    """All 150 classes of ADE20K; nothing is cut unless one name alone is too wide."""
    labels = (np.arange(size[0] * size[1]) % 150).astype(np.uint8).reshape(size)
    image = np.zeros((*size, 3), np.uint8)
    drawn = draw_classes(image, labels, ADE20K.names, ADE20K.palette)
    assert drawn.shape[1] == size[1]
    legend = drawn[size[0] :]
    if size[1] > 200:
        assert (legend[:, -3:] == legend[0, 0]).all()
    shown = {tuple(color) for color in legend[:, : size[1]].reshape(-1, 3)}
    assert set(ADE20K.palette) <= shown


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_label_picture_keeps_the_indices(dtype):
    labels = np.array([[0, 1, 18], [255, 7, 3]], dtype)
    file = io.BytesIO()
    label_picture(labels, CITYSCAPES.palette).save(file, "PNG")
    picture = Image.open(file)
    np.testing.assert_array_equal(np.array(picture), labels)
    if dtype == np.uint8:
        assert picture.convert("RGB").getpixel((2, 0)) == CITYSCAPES.palette[18]
