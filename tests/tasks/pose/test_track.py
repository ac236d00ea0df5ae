"""`Tracker`: who is who from frame to frame, joints that rest, and when the detector is needed."""

import numpy as np
import pytest

from hrnet_tf.labels.keypoint_sets import COCO
from hrnet_tf.tasks.pose.predictor import Pose
from hrnet_tf.tasks.pose.track import OneEuro, Tracker, Tracking

SIZE = (400, 900)  # of the frames
RATE = 30
# A person 100 pixels high, feet together, as the joints of COCO.
BODY = np.array(
    [
        *[(0, 8), (3, 5), (-3, 5), (6, 7), (-6, 7), (14, 22), (-14, 22), (20, 38), (-20, 38)],
        *[(22, 52), (-22, 52), (9, 52), (-9, 52), (10, 75), (-10, 75), (10, 98), (-10, 98)],
    ],
    np.float32,
)


def person(x, y=150.0, noise=0.0, rng=None, seen=0.8, box=None):
    """A pose whose feet are around x; its box is what was looked at, else one around it."""
    points = BODY + np.float32([x, y])
    if noise:
        points = points + rng.normal(0, noise, points.shape).astype(np.float32)
    low, high = points.min(axis=0), points.max(axis=0)
    box = np.concatenate([low - 10, high - low + 20]) if box is None else box
    scores = np.full(17, seen, np.float32)
    return Pose(points, scores, np.asarray(box, np.float32), 1.0, COCO.names)


def answer(boxes, people):
    """What a network finds in boxes: the person whose middle is nearest to that of the box."""
    found = []
    for box in boxes:
        middle = box[:2] + box[2:] / 2
        near = [p for p in people if _inside(p, box)]
        if near:
            best = min(near, key=lambda p: np.linalg.norm(p.keypoints.mean(axis=0) - middle))
            found.append(Pose(best.keypoints, best.scores, box, 1.0, COCO.names))
    return found


def _inside(pose, box):
    low, high = pose.keypoints.min(axis=0), pose.keypoints.max(axis=0)
    shared = np.minimum(high, box[:2] + box[2:]) - np.maximum(low, box[:2])
    return shared.clip(0).prod() > 0.5 * (high - low).prod()


def play(scene, settings=None, detected=None):
    """Frames of people through a tracker: what it answers to each, and when it wanted a detector.

    Args:
        scene: the people of each frame.
        settings: of the tracker.
        detected: the people that the detector sees in frame i; all of the frame by default.
    """
    tracker, answers, calls = Tracker(COCO.sigmas, settings), [], []
    for index, people in enumerate(scene):
        boxes = None
        if tracker.detect:
            calls.append(index)
            visible = people if detected is None else detected(index, people)
            boxes = np.array([p.box for p in visible]).reshape(-1, 4)
        time = index / RATE
        poses = answer(tracker.boxes(time, SIZE, boxes), people)
        answers.append(tracker.update(poses, time, boxes is not None))
    return answers, calls


def ids(answers):
    return [[pose.id for pose in poses] for poses in answers]


def joints(answers, number=1):
    return np.array([next(p for p in poses if p.id == number).keypoints for poses in answers])


def test_people_keep_their_ids_whatever_the_order_of_the_poses():
    """The order is the detector's, best first, and changes from frame to frame."""
    rng = np.random.default_rng(0)
    scene = [[person(100 + 2 * i), person(400 - i), person(700)] for i in range(90)]
    for people in scene:
        rng.shuffle(people)
    answers, calls = play(scene)
    first = {pose.id: pose.keypoints[0, 0] for pose in answers[0]}
    assert sorted(first) == [1, 2, 3]
    assert all(row == [1, 2, 3] for row in ids(answers))
    speeds = {100: 2, 400: -1, 700: 0}
    for number, x in first.items():
        start = min(speeds, key=lambda s: abs(s - x))
        last = joints(answers, number)[-1, 0, 0]
        assert last == pytest.approx(start + 89 * speeds[start], abs=5)
    assert calls == [0, 30, 60]


@pytest.mark.parametrize("every", [1, 7, 30])
def test_the_detector_looks_as_often_as_told(every):
    scene = [[person(300)]] * 61
    assert play(scene, Tracking(detect_every=every))[1] == list(range(0, 61, every))


def test_while_nobody_is_there_the_detector_looks_more_often_and_finds_who_comes():
    """Every `retry_every` frames; a person who enters is followed from the next detection on."""
    scene = [[]] * 25 + [[person(300)]] * 50
    answers, calls = play(scene, Tracking(detect_every=30, retry_every=10))
    assert calls == [0, 10, 20, 30, 60]
    assert ids(answers) == [[]] * 30 + [[1]] * 45


def test_a_new_person_joins_only_by_the_detector():
    """A pose of somebody else in a followed box is not a new person."""
    scene = [[person(300)]] * 10 + [[person(300), person(500)]] * 40
    answers, _ = play(scene)
    assert ids(answers) == [[1]] * 30 + [[1, 2]] * 20


def test_what_is_found_in_a_followed_box_alone_is_never_a_new_person():
    """The detector has looked and seen nobody there: the network clings to something."""
    tracker = Tracker(COCO.sigmas)
    for index in range(31):
        here = person(300) if index < 30 else person(345)
        detected = {0: here.box[None], 30: np.zeros((0, 4))}.get(index)
        [box] = tracker.boxes(index / RATE, SIZE, detected)
        found = Pose(here.keypoints, here.scores, box, 1.0, COCO.names)
        poses = tracker.update([found], index / RATE, detected is not None)
    assert poses == []


def test_a_lost_person_comes_back_as_the_same():
    """Hidden for a second behind something, walking on meanwhile."""
    rng = np.random.default_rng(1)
    scene = [[person(100 + 3 * i, noise=0.5, rng=rng)] for i in range(120)]
    for index in range(50, 66):
        scene[index] = []
    answers, calls = play(scene)
    assert ids(answers[:50]) == [[1]] * 50
    assert ids(answers[50:66]) == [[]] * 16
    assert ids(answers[80:]) == [[1]] * 40
    assert len([c for c in calls if 50 <= c < 80]) >= 2  # sooner than every 30 frames


def test_who_was_away_for_long_comes_back_as_a_new_person():
    scene = [[person(300)]] * 20 + [[]] * 80 + [[person(300)]] * 20
    numbers = {number for row in ids(play(scene, Tracking(forget=2.0))[0]) for number in row}
    assert numbers == {1, 2}


def test_a_person_who_leaves_the_picture_is_not_looked_for_there():
    scene = [[person(850 + 4 * i)] if i < 20 else [] for i in range(40)]
    tracker = Tracker(COCO.sigmas)
    for index, people in enumerate(scene):
        detected = [p.box for p in people] if tracker.detect else None
        boxes = tracker.boxes(index / RATE, SIZE, detected)
        tracker.update(answer(boxes, people), index / RATE, detected is not None)
    assert not len(tracker.boxes(2.0, SIZE))


@pytest.mark.parametrize("speed", [4, 8])
def test_two_people_who_pass_each_other_keep_their_ids(speed):
    """In front of each other only one is found, in both boxes."""
    rng = np.random.default_rng(2)
    scene = []
    for index in range(100):
        left = person(450 + speed * (index - 50), 150, 0.5, rng)
        right = person(450 - speed * (index - 50), 156, 0.5, rng)
        hidden = abs(speed * (index - 50)) < 15
        scene.append([left] if hidden else [left, right])
    answers, _ = play(scene)
    assert ids(answers[:45])[-1] == [1, 2]
    before = {pose.id: pose.keypoints[0, 0] for pose in answers[30]}
    after = {pose.id: pose.keypoints[0, 0] for pose in answers[-1]}
    assert sorted(after) == sorted(before) == [1, 2]
    for number in (1, 2):  # each goes on in its direction
        assert (after[number] - 450) * (before[number] - 450) < 0


def test_one_person_in_two_boxes_is_one():
    """Boxes of a detector that overlap; the better pose stays."""
    tracker = Tracker(COCO.sigmas)
    tracker.boxes(0.0, SIZE, np.array([person(300).box, person(302).box]))
    poses = tracker.update([person(300), person(301)], 0.0, True)
    assert [pose.id for pose in poses] == [1]


def test_unsure_poses_are_nobody():
    """Half of the joints count: those of a person cut at the waist are enough."""
    half = person(600)
    half.scores[11:] = 0.01
    tracker = Tracker(COCO.sigmas)
    tracker.boxes(0.0, SIZE, np.array([person(300).box, half.box]))
    [found] = tracker.update([person(300, seen=0.1), half], 0.0, True)
    assert found.keypoints[0, 0] == pytest.approx(600)


def test_boxes_follow_the_motion_and_rest_when_the_person_does():
    """A box that trembles with the joints makes them tremble."""
    rng = np.random.default_rng(3)
    tracker, boxes = Tracker(COCO.sigmas), []
    for index in range(60):
        x = 100 if index < 30 else 100 + 8 * (index - 29)
        here = person(x, noise=0.4, rng=rng)
        found = tracker.boxes(index / RATE, SIZE, here.box[None] if index == 0 else None)
        assert len(found) == 1
        boxes.append(found[0])
        tracker.update(answer(found, [here]), index / RATE, index == 0)
    still = np.array(boxes[1:30])
    assert np.ptp(still, axis=0).max() == 0
    middle = boxes[-1][0] + boxes[-1][2] / 2
    assert middle == pytest.approx(100 + 8 * 30, abs=6)


def _run(path, noise=0.0, smoothing=None, rate=RATE):
    """A person along x positions: (smoothed, found) joints of all frames."""
    rng = np.random.default_rng(4)
    scene = [person(x, noise=noise, rng=rng) for x in path]
    tracker = Tracker(COCO.sigmas, Tracking(smoothing=smoothing))
    smooth = []
    for index, here in enumerate(scene):
        boxes = tracker.boxes(index / rate, SIZE, here.box[None] if tracker.detect else None)
        [pose] = tracker.update(answer(boxes, [here]), index / rate, tracker.detect)
        smooth.append(pose.keypoints)
    return np.array(smooth), np.array([pose.keypoints for pose in scene])


def jitter(points):
    return np.linalg.norm(points[2:] - 2 * points[1:-1] + points[:-2], axis=-1).mean()


def test_joints_of_a_person_at_rest_tremble_a_third_or_less():
    smooth, found = _run([300] * 90, noise=0.7, smoothing=OneEuro())
    assert jitter(smooth[15:]) * 3 < jitter(found[15:])
    assert np.abs(smooth[15:] - BODY - [300, 150]).max() < 1.5


@pytest.mark.parametrize("speed", [1, 3, 6])
def test_joints_of_a_person_in_motion_lag_two_frames_at_most(speed):
    path = 100 + speed * np.arange(100)
    smooth, found = _run(path, smoothing=OneEuro())
    behind = (found - smooth)[20:, :, 0] / speed  # frames
    assert np.abs(behind).max() <= 2


@pytest.mark.parametrize("rate", [15, 60])
def test_smoothing_goes_by_time_not_by_frames(rate):
    """The same second of motion at other frame rates ends at the same joints, about."""

    def last(rate):
        return _run(300 + 40 * np.arange(rate) / rate, smoothing=OneEuro(), rate=rate)[0][-1]

    assert np.abs(last(rate) - last(30)).max() < 2.5


def test_without_smoothing_joints_are_as_found():
    smooth, found = _run(100 + 3 * np.arange(50), noise=1.0)
    np.testing.assert_array_equal(smooth, found)


def test_a_hidden_joint_starts_afresh_where_it_reappears():
    """No smear across the picture from where the hand was a second ago."""
    tracker = Tracker(COCO.sigmas)
    for index in range(60):
        here = person(300)
        here.keypoints[9] += 30 if index >= 45 else 0
        here.scores[9] = 0.01 if 15 <= index < 45 else 0.8
        tracker.boxes(index / RATE, SIZE, here.box[None])
        [pose] = tracker.update([here], index / RATE, True)
        if index == 45:
            np.testing.assert_allclose(pose.keypoints[9], here.keypoints[9], atol=1e-3)


def test_equal_and_missing_time_stamps_do_not_break_the_filter():
    tracker = Tracker(COCO.sigmas)
    for time in (0.0, 0.0, 0.0, 5.0, 5.0):
        tracker.boxes(time, SIZE, person(300).box[None])
        [pose] = tracker.update([person(300)], time, True)
        assert np.isfinite(pose.keypoints).all()


def test_any_keypoints_can_be_followed():
    """One keypoint alone, and a set without sigmas."""
    tracker = Tracker(None)
    for index in range(5):
        points = np.array([[50 + index, 60]], np.float32)
        pose = Pose(points, np.ones(1), np.array([40, 50, 20, 20], np.float32), 1.0, ("tail",))
        boxes = tracker.boxes(index / RATE, SIZE, pose.box[None] if tracker.detect else None)
        assert np.isfinite(boxes).all()
        [found] = tracker.update([pose], index / RATE, tracker.detect)
        assert found.id == 1


@pytest.mark.parametrize("value", [0, 1.5, None])
def test_settings_are_checked(value):
    with pytest.raises(ValueError, match=r"`detect_every` must be a positive integer.*Received"):
        Tracking(detect_every=value)


@pytest.mark.parametrize("seconds", [1.0, 3.0, 60.0])
def test_a_person_is_followed_however_slow_the_frames_are(seconds):
    """Time-lapse and surveillance cameras: limits in seconds never end before the next frame."""
    tracker, ids = Tracker(COCO.sigmas), []
    for index in range(12):
        now, detected = index * seconds, tracker.detect
        boxes = tracker.boxes(now, SIZE, person(300).box[None] if detected else None)
        found = tracker.update(answer(boxes, [person(300)]), now, detected)
        ids.append([each.id for each in found])
    assert ids == [[1]] * 12


def test_a_pause_loses_nobody():
    """A camera whose frames got lost for a second, or a paused stream."""
    tracker = Tracker(COCO.sigmas)
    for index, now in enumerate([0.0, 0.03, 0.07, 1.4, 1.43, 4.0]):
        boxes = tracker.boxes(now, SIZE, person(300).box[None] if index == 0 else None)
        found = tracker.update(answer(boxes, [person(300)]), now, index == 0)
        assert [each.id for each in found] == [1], now


def test_slow_frames_ask_the_detector_again_at_once():
    """Ten frames would be ten seconds."""
    tracker = Tracker(COCO.sigmas)
    for index in range(3):
        tracker.boxes(float(index), SIZE, np.zeros((0, 4)))
        tracker.update([], float(index), True)
    assert tracker.detect
