"""Ids of objects through a video."""

import numpy as np
from made_detections import made

from hrnet_tf.tasks.detection.detections import no_detections
from hrnet_tf.tasks.detection.track import BoxTracker


def _ids(tracker, boxes, time, **given):
    return tracker.update(made(boxes, **given) if boxes else no_detections(False), time)[1]


def test_two_objects_keep_their_ids_while_they_cross():
    """They move towards each other, 8 pixels a frame."""
    tracker, seen = BoxTracker(), []
    for frame in range(30):
        left, right = [10 + 8 * frame, 50, 40, 40], [250 - 8 * frame, 60, 40, 40]
        order = [left, right] if frame % 2 else [right, left]
        found, ids = tracker.update(made(order, scores=[0.9, 0.9]), frame / 25)
        assert ids == [1, 2]
        seen.append(found.boxes[:, 0])
    paths = np.array(seen)
    assert (np.abs(np.diff(paths, axis=0)) == 8).all()


def test_a_weak_object_continues_but_does_not_start():
    tracker = BoxTracker()
    box = [[10, 10, 30, 60]]
    assert _ids(tracker, box, 0.0, scores=[0.3]) == []
    assert _ids(tracker, box, 0.1, scores=[0.9]) == []  # a first sight
    assert _ids(tracker, box, 0.2, scores=[0.9]) == [1]
    assert _ids(tracker, box, 0.3, scores=[0.2]) == [1]
    assert _ids(tracker, box, 0.4, scores=[0.05]) == []


def test_a_lost_object_gets_its_id_back_for_a_second():
    tracker, box = BoxTracker(), [[10, 10, 30, 60]]
    assert _ids(tracker, box, 0.0) == [1]
    for frame in range(1, 9):
        assert _ids(tracker, [], frame / 10) == []
    assert _ids(tracker, box, 0.9) == [1]
    assert _ids(tracker, [], 1.5) == []
    assert _ids(tracker, box, 2.6) == []
    assert _ids(tracker, box, 2.7) == [2]


def test_classes_are_not_confused():
    tracker, box = BoxTracker(), [[10, 10, 30, 60]]
    assert _ids(tracker, box, 0.0, classes=[0]) == [1]
    assert _ids(tracker, box, 0.1, classes=[2]) == []
    assert _ids(tracker, box, 0.2, classes=[2]) == [2]


def test_frames_with_one_time_stamp_are_survived():
    tracker, box = BoxTracker(), [[10, 10, 30, 60]]
    assert [_ids(tracker, box, 0.0) for _ in range(3)] == [[1], [1], [1]]
