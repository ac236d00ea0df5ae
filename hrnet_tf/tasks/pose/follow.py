"""Follows people through videos: `follow` yields frames, `predict_video` writes files."""

import os
import time
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np

from hrnet_tf.media.video import Frame
from hrnet_tf.tasks.detection.people import Detector
from hrnet_tf.tasks.pose.draw import draw_poses
from hrnet_tf.tasks.pose.predictor import Pose, PosePredictor
from hrnet_tf.tasks.pose.track import Tracker, Tracking
from hrnet_tf.tasks.videos import write_video


class Followed(NamedTuple):
    """A `Frame` with the poses in it, which have ids, and whether the detector ran on it."""

    index: int
    time: float
    image: np.ndarray
    poses: list[Pose]
    detected: bool


def follow(
    predictor: PosePredictor,
    frames: Iterable[Frame | tuple[int, float, np.ndarray]],
    detector: Detector | None = None,
    settings: Tracking | None = None,
) -> Iterator[Followed]:
    """Finds people in a video and follows them.

    Args:
        predictor: finds the poses; its `timings` also get the stages detect and track.
        frames: `(index, time in seconds, image)`, for example from `read_frames`.
        detector: maps a list of images to boxes (N, 4) and scores (N,) for each; it runs on one
            frame in `settings.detect_every`. With None, one person is sought in the whole frame
            while nobody is followed.
        settings: settings of the tracker.

    Yields:
        A `Followed` for each frame.
    """
    tracker = Tracker(predictor.card.keypoints.sigmas, settings)
    timings = predictor.timings
    for index, now, image in frames:
        size, boxes = image.shape[:2], None
        if tracker.detect and detector:
            start = time.perf_counter()
            boxes, _ = detector([image])[0]
            timings.add("detect", time.perf_counter() - start)
        elif tracker.detect and not tracker.following:
            boxes = np.array([[0, 0, size[1], size[0]]])
        poses = predictor(image, tracker.boxes(now, size, boxes))
        start = time.perf_counter()
        poses = tracker.update(poses, now, boxes is not None)
        timings.add("track", time.perf_counter() - start)
        yield Followed(index, now, image, poses, boxes is not None)


def predict_video(
    predictor: PosePredictor,
    source: str | os.PathLike | int,
    folder: str | os.PathLike,
    detector: Detector | None = None,
    settings: Tracking | None = None,
    **given,
) -> dict:
    """Follows the people in a video; writes `NAME.mp4`, `NAME.jsonl` and `timings.json`.

    A line of `NAME.jsonl` is a person in a frame: frame, time, id, box, score, keypoints (K pairs
    x, y), scores (K).

    Args:
        predictor: finds the poses; its `timings` get the stages read, detect, crop, network,
            decode, track, draw and write.
        source: a video file, or the number of a camera: 0 or "0" for the first.
        folder: folder for the results.
        detector: see `follow`.
        settings: settings of the tracker.
        given: `overwrite`, `show` and `progress`, as in `tasks.videos.write_video`, which also
            lists what is returned and raised.
    """
    return write_video(_People(predictor, detector, settings), source, folder, **given)


class _People:
    """The people of a video as a `videos.Follower`."""

    counted = "persons"

    def __init__(self, predictor, detector, settings):
        self.timings = predictor.timings
        self._predictor, self._detector, self._settings = predictor, detector, settings
        self._keypoints = predictor.card.keypoints
        self._detected = 0  # frames on which the detector ran

    def follow(self, frames):
        return follow(self._predictor, frames, self._detector, self._settings)

    def draw(self, frame):
        return draw_poses(frame.image, frame.poses, self._keypoints)

    def lines(self, frame):
        self._detected += frame.detected
        return [_line(frame, pose) for pose in frame.poses]

    def facts(self):
        return {"detected_frames": self._detected, "keypoint_names": self._keypoints.names}


def _line(frame, pose):
    return {
        "frame": frame.index,
        "time": round(frame.time, 6),
        "id": pose.id,
        "box": [round(float(v), 2) for v in pose.box],
        "score": round(float(pose.score), 4),
        "keypoints": [[round(float(v), 2) for v in point] for point in pose.keypoints],
        "scores": [round(float(v), 4) for v in pose.scores],
    }
