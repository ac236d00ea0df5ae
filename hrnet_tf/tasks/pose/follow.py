"""Follows people through videos: `follow` yields frames, `predict_video` writes files."""

import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from itertools import repeat
from pathlib import Path
from typing import NamedTuple

import numpy as np

from hrnet_tf.files import prepare_folder, write_json
from hrnet_tf.media.video import Frame, Video, VideoWriter
from hrnet_tf.media.window import Window
from hrnet_tf.tasks.detection.people import Detector
from hrnet_tf.tasks.pose.draw import draw_poses
from hrnet_tf.tasks.pose.predictor import Pose, PosePredictor
from hrnet_tf.tasks.pose.track import Tracker, Tracking
from hrnet_tf.tasks.streaming import ahead

Progress = Callable[[int | None], AbstractContextManager[Callable[[], None]]]


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
    overwrite: bool = False,
    show: bool | None = None,
    progress: Progress = lambda total: nullcontext(lambda: None),
) -> dict:
    """Follows the people in a video; writes `NAME.mp4`, `NAME.jsonl` and `timings.json`.

    The written video has the frame times of its source and no sound. A line of `NAME.jsonl` is a
    person in a frame: frame, time, id, box, score, keypoints (K pairs x, y), scores (K). After ^C,
    SIGTERM or an error, all files hold the frames that were finished until then. A camera runs
    until it is interrupted or its window is closed.

    Args:
        predictor: finds the poses; its `timings` get the stages read, detect, crop, network,
            decode, track, draw and write.
        source: a video file, or the number of a camera: 0 or "0" for the first.
        folder: folder for the results.
        detector: see `follow`.
        settings: settings of the tracker.
        overwrite: replace earlier results.
        show: show the frames in a window; closing it ends a camera. None shows cameras only, and
            only if there is a screen.
        progress: called with the number of frames, or None if it is unknown; returns a context
            manager that gives a function, which is called after each frame.

    Returns:
        The content of `timings.json`; "problems" has a sentence for each fault of the source, such
        as a damaged frame or a lost camera.

    Raises:
        OSError, ValueError: the source cannot be opened or has no frames, or the results cannot be
            written.
    """
    source = int(source) if str(source).isdecimal() and not Path(str(source)).exists() else source
    with closing(Video(source)) as video:
        name = video.stem
        targets = [f"{name}.mp4", f"{name}.jsonl", "timings.json"]
        inputs = [source] if Path(str(source)).is_file() else []
        folder = prepare_folder(folder, targets, inputs, overwrite)
        window = _window(video, show)
        results = _Results(folder, name, predictor.card.keypoints, predictor.timings, video)
        start = time.perf_counter()
        try:
            with progress(video.total) as advance, _terminated_as_interrupted():
                frames = _read(video, predictor.timings)
                followed = follow(predictor, frames, detector, settings)
                written = ahead(results.add, followed, 1, lambda frame: frame.image.nbytes)
                with closing(frames), closing(written) as drawn:
                    for image in drawn:
                        advance()
                        if window:
                            window.show(image)
                            if video.live and window.closed:
                                break
        except KeyboardInterrupt:
            if not video.live:  # ^C is the usual end of a camera
                raise
        finally:
            if window:
                window.close()
            summary = results.finish(time.perf_counter() - start)
    if not summary["frames"]:
        raise ValueError("; ".join(video.problems) or f"{video.name}: no frames in it.")
    return summary


class _Results:
    """The files of a run; they are created with the first frame."""

    def __init__(self, folder, name, keypoints, timings, video):
        self.lines_path = folder / f"{name}.jsonl"
        self.timings_path = folder / "timings.json"
        self.keypoints, self.timings, self.video = keypoints, timings, video
        self.writer = VideoWriter(folder / f"{name}.mp4", video.rate)
        self.lines = None
        self.frames, self.detected, self.ids = 0, 0, set()

    def add(self, frame):
        """Draws and writes a frame; returns the drawn picture."""
        start = time.perf_counter()
        image = draw_poses(frame.image, frame.poses, self.keypoints)
        drawn = time.perf_counter()
        if self.lines is None:
            # Unbuffered: if the process is killed, the file has no partial line.
            self.lines = open(self.lines_path, "wb", buffering=0)  # noqa: SIM115
        text = "".join(json.dumps(_line(frame, pose)) + "\n" for pose in frame.poses)
        self._write_lines(text.encode())
        self.writer.write(image, frame.time)
        self.frames += 1
        self.detected += frame.detected
        self.ids |= {pose.id for pose in frame.poses}
        self.timings.add("draw", drawn - start)
        self.timings.add("write", time.perf_counter() - drawn)
        return image

    def _write_lines(self, text):
        try:
            if self.lines.write(text) < len(text):
                raise OSError("the disk is full")
        except OSError as error:
            reason = error.strerror or error
            raise OSError(f"{self.lines_path}: cannot be written ({reason}).") from error

    def finish(self, seconds):
        summary = {
            "frames": self.frames,
            "persons": len(self.ids),
            "detected_frames": self.detected,
            "problems": self.video.problems,
            "seconds": round(seconds, 3),
            "frames_per_second": round(self.frames / seconds, 2),
            "keypoint_names": self.keypoints.names,
            "stages": self.timings.summary(),
        }
        if self.lines is not None:
            self.lines.close()
            try:
                self.writer.close()
            finally:
                write_json(self.timings_path, summary, indent=1)
        return summary


def _window(video, show):
    if show or (show is None and video.live):
        try:
            return Window(video.name)
        except OSError:
            if show:
                raise
    return None


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


def _read(video, timings):
    """The frames of a video; a background thread decodes the next one."""
    frames = iter(video)
    if not video.live:  # cameras are read in a thread of their own
        frames = _until_none(ahead(lambda _, rest=frames: next(rest, None), repeat(None), depth=1))
    with closing(frames):
        for frame in frames:
            timings.add("read", video.seconds[frame.index])
            yield frame


def _until_none(items):
    with closing(items):
        for item in items:
            if item is None:
                return
            yield item


@contextmanager
def _terminated_as_interrupted():
    """Inside, SIGTERM raises KeyboardInterrupt, so that files are finished before the end."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(*_):
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
