"""Predicts a video and writes `NAME.mp4`, `NAME.jsonl` and `timings.json`, for any task."""

import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from itertools import repeat
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from hrnet_tf.files import prepare_folder, write_json
from hrnet_tf.media.frames import Frame
from hrnet_tf.media.video import VideoWriter, open_video
from hrnet_tf.media.window import Window
from hrnet_tf.tasks.streaming import Timings, ahead

Progress = Callable[[int | None], AbstractContextManager[Callable[[], None]]]


class Followed(Protocol):
    """A `Frame` with what a task found in it."""

    time: float
    image: np.ndarray


class Follower(Protocol):
    """The task's part of predicting a video.

    Attributes:
        timings: seconds of each stage; the stages read, draw and write are added to it.
        counted: a word for what has ids: "persons".
    """

    timings: Timings
    counted: str

    def follow(self, frames: Iterable[Frame]) -> Iterator[Followed]:
        """Yields a `Followed` for each frame."""

    def draw(self, frame: Followed) -> np.ndarray:
        """The frame with its results, (H, W, 3) uint8."""

    def lines(self, frame: Followed) -> list[Mapping[str, Any]]:
        """The lines of `NAME.jsonl` for a frame; each has an `id`."""

    def facts(self) -> Mapping[str, Any]:
        """Further fields of `timings.json`."""


def write_video(
    follower: Follower,
    source: str | os.PathLike | int,
    folder: str | os.PathLike,
    overwrite: bool = False,
    show: bool | None = None,
    progress: Progress = lambda total: nullcontext(lambda: None),
) -> dict:
    """Predicts a video and writes its files.

    The written video has the frame times of its source and no sound. After ^C, SIGTERM or an error,
    all files hold the frames that were finished until then. A camera runs until it is interrupted
    or its window is closed.

    Args:
        follower: predicts, draws and describes the frames.
        source: a video or animated picture, the address of a stream, or the number of a camera: 0
            or "0" for the first.
        folder: folder for the results.
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
    with closing(open_video(source)) as video:
        name = video.stem
        targets = [f"{name}.mp4", f"{name}.jsonl", "timings.json"]
        inputs = [source] if Path(str(source)).is_file() else []
        folder = prepare_folder(folder, targets, inputs, overwrite)
        window = _window(video, show)
        results = _Results(folder, name, follower, video)
        start = time.perf_counter()
        try:
            with progress(video.total) as advance, _terminated_as_interrupted():
                frames = _read(video, follower.timings)
                followed = follower.follow(frames)
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

    def __init__(self, folder, name, follower, video):
        self.lines_path = folder / f"{name}.jsonl"
        self.timings_path = folder / "timings.json"
        self.follower, self.video = follower, video
        self.writer = VideoWriter(folder / f"{name}.mp4", video.rate)
        self.lines = None
        self.frames, self.ids = 0, set()

    def add(self, frame):
        """Draws and writes a frame; returns the drawn picture."""
        start = time.perf_counter()
        image = self.follower.draw(frame)
        drawn = time.perf_counter()
        if self.lines is None:
            # Unbuffered: if the process is killed, the file has no partial line.
            self.lines = open(self.lines_path, "wb", buffering=0)  # noqa: SIM115
        lines = self.follower.lines(frame)
        self._write_lines("".join(json.dumps(line) + "\n" for line in lines).encode())
        self.writer.write(image, frame.time)
        self.frames += 1
        self.ids |= {line["id"] for line in lines}
        self.follower.timings.add("draw", drawn - start)
        self.follower.timings.add("write", time.perf_counter() - drawn)
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
            self.follower.counted: len(self.ids),
            "problems": self.video.problems,
            "seconds": round(seconds, 3),
            "frames_per_second": round(self.frames / seconds, 2),
            **self.follower.facts(),
            "stages": self.follower.timings.summary(),
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
