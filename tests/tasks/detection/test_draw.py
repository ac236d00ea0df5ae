"""Pictures of objects: what is drawn where, and that labels stay legible."""

import numpy as np
import pytest
from made_detections import MadePredictor, made

from hrnet_tf.labels.classes import COCO
from hrnet_tf.tasks.detection.draw import class_color, draw_detections
from hrnet_tf.tasks.detection.label_places import place_labels
from hrnet_tf.tasks.detection.results import coco_results

GREY = np.full((120, 160, 3), 128, np.uint8)


def _drawn(found, **given):
    return np.asarray(draw_detections(GREY, found, COCO.names, **given))


def test_only_sure_objects_are_drawn():
    weak = made([[20, 30, 60, 50]], scores=[0.29])
    np.testing.assert_array_equal(_drawn(weak), GREY)
    assert (_drawn(weak, draw_threshold=0.2) != GREY).any()


def test_a_mask_tints_its_pixels_and_no_others():
    found = made([[20, 60, 60, 40]], size=(120, 160))
    plain, masked = _drawn(made([[20, 60, 60, 40]])), _drawn(found)
    changed = (plain != masked).any(axis=-1)
    rows, columns = np.nonzero(changed)
    assert rows.min() >= 60 and rows.max() < 100 and columns.min() >= 20 and columns.max() < 80
    assert changed[60:100, 20:80].mean() > 0.95


@pytest.mark.parametrize(
    "box",
    [[0, 0, 160, 120], [0, 0, 1, 1], [159, 119, 1, 1], [80.3, 60.2, 0.2, 0.1], [-9, 50, 40, 9]],
)
def test_a_box_is_visible_and_labelled_wherever_it_lies(box):
    """Also of one pixel, of none, and at the picture's edge; the picture keeps its size."""
    drawn = _drawn(made([box], size=(120, 160)))
    assert drawn.shape == GREY.shape
    assert (drawn == class_color(0)).all(axis=-1).sum() >= 4
    assert (drawn != GREY).any(axis=-1).sum() > 300  # the label


def test_labels_hide_no_other_label():
    rng = np.random.default_rng(0)
    boxes = np.concatenate([rng.uniform(0, 500, (40, 2)), rng.uniform(1, 90, (40, 2))], axis=1)
    sides = [(70, 16)] * 40
    corners = place_labels(boxes, sides, (600, 520))
    placed = [corner for corner in corners if corner]
    assert len(placed) > 30
    for row, (x, y) in enumerate(placed):
        assert 0 <= x <= 600 - 70 and 0 <= y <= 520 - 16
        assert all(abs(x - u) >= 70 or abs(y - v) >= 16 for u, v in placed[:row])


def test_objects_without_room_for_a_label_are_in_a_legend():
    crowd = made(np.tile([70, 50, 6, 6], (60, 1)), classes=[3] * 60)
    drawn = _drawn(crowd)
    assert drawn.shape[0] > 120 and drawn.shape[1] == 160
    assert (drawn[120:] == class_color(3)).all(axis=-1).any()
    assert _drawn(crowd, explain=False).shape == GREY.shape


def test_classes_have_their_own_colours():
    colors = {class_color(index) for index in range(80)}
    assert len(colors) == 80
    near = [np.abs(np.subtract(class_color(i), class_color(i + 1))).max() for i in range(79)]
    assert min(near) > 60


def test_records_are_cocos_results():
    card = MadePredictor(None).card
    [record] = coco_results(139, made([[20, 60, 60, 40]], [79], size=(120, 160)), card)
    assert record["image_id"] == 139 and record["category_id"] == 90
    assert record["category"] == "toothbrush" and record["bbox"] == [20, 60, 60, 40]
    assert record["segmentation"]["size"] == [120, 160]
    assert isinstance(record["segmentation"]["counts"], str)
    [record] = coco_results(139, made([[20, 60, 60, 40]]), card)
    assert "segmentation" not in record
