"""Reads videos and cameras, writes H.264. PyAV does both; its wheels contain FFmpeg."""

import logging
import os
import queue
import re
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from PIL import Image

from hrnet_tf.files import existing, short
from hrnet_tf.media.animation import Animation
from hrnet_tf.media.find import is_address, is_animation, is_moving
from hrnet_tf.media.frames import Frame

LOG = logging.getLogger(__name__)

# FFmpeg's input device and the name of a camera, by platform.
CAMERAS = {"linux": ("v4l2", "/dev/video{}"), "darwin": ("avfoundation", "{}")}
TIMEOUT = 10  # seconds that an address may take to answer
TICKS = 90_000  # per second: exact for 24, 25, 29.97, 30, 50 and 60 frames per second
# A killed process leaves a file that plays but for its last two seconds; a normal end leaves an
# ordinary MP4 file.
CONTAINER = {"movflags": "+hybrid_fragmented", "flush_packets": "1"}
# No B frames: their delay would make a fragmented file start late.
ENCODER = {"crf": "20", "preset": "veryfast", "bf": "0"}


class Video:
    """An open video file or camera; iterating decodes its frames, the right way up.

    Errors while decoding are noted in `problems`; the frames before them are good.

    Args:
        source: a file, an address such as rtsp://…, or the number of a camera, 0 for the first.

    Attributes:
        name: of the file, address or camera, for messages.
        stem: a name for the files of its results.
        live: whether it is a camera or an endless stream; iterating one gives its newest frame and
            skips others.
        rate: frames per second, on average; None if unknown.
        total: approximate number of frames; None if unknown.
        problems: a sentence for each.
        seconds: decoding time of each frame.

    Raises:
        OSError, ValueError: it cannot be opened, or has no pictures.
    """

    def __init__(self, source: str | os.PathLike | int):
        self.live = isinstance(source, int)
        self.name = f"camera {source}" if self.live else os.fspath(source)
        self.stem = f"camera{source}" if self.live else short(Path(self.name).stem)
        if is_address(self.name):
            self._container = _open_address(self.name)
            self.live = _is_endless(self._container)
            self.stem = re.sub(r"\W+", "_", self.stem) or "stream"
        else:
            self._container = _open_camera(source) if self.live else _open_file(self.name)
        self._stream = next(filter(is_moving, self._container.streams.video), None)
        if self._stream is None or self._stream.codec_context is None:
            lacks = "a codec that PyAV cannot decode; convert it to H.264 in .mp4."
            if self._stream is None:
                sound = ", only sound" if self._container.streams.audio else ""
                lacks = f"no video in it{sound}; name another file."
            self.close()
            raise ValueError(f"{self.name}: {lacks}")
        self._stream.thread_type = "AUTO"
        self.rate = self._stream.average_rate or self._stream.guessed_rate
        self._length = 0.0 if self.live else self._seconds()
        self.total = self._stream.frames or round(self._length * (self.rate or 0)) or None
        self._pixel = _pixel_shape(self._stream)
        self.problems, self.seconds = [], []

    def __iter__(self) -> Iterator[Frame]:
        return _newest(self._frames()) if self.live else self._frames()

    def close(self):
        self._container.close()

    def _seconds(self):
        """Length of the video in seconds by its header; 0 if that does not say."""
        if self._stream.duration:
            return float(self._stream.duration * self._stream.time_base)
        # Matroska states only the length of the longest stream.
        alone = len(self._container.streams) == 1
        return (self._container.duration or 0) / av.time_base if alone else 0.0

    def _frames(self):
        step = float(1 / (self.rate or 30))
        first, now, index, start = None, -step, 0, time.perf_counter()
        for frame in self._decoded():
            last, stamp = now, frame.time
            first = stamp if first is None else first
            now = last + step if stamp is None else stamp - first
            if now <= last:  # a broken time stamp
                now = last + step
            image = _upright(frame, self._pixel)
            self.seconds.append(time.perf_counter() - start)
            yield Frame(index, now, image)
            index, start = index + 1, time.perf_counter()
        missing = self._length - (now + step)
        if missing > max(0.5, 2 * step) and index and not self.problems:
            self.problems.append(f"{self.name}: cut short, the last {missing:.1f} s are missing.")

    def _decoded(self):
        damaged = 0
        try:
            for packet in self._container.demux(self._stream):
                try:
                    yield from packet.decode()
                except av.error.InvalidDataError:
                    damaged += 1
        except av.error.FFmpegError as error:
            what = "stopped" if self.live else "cannot be read further"
            late = isinstance(error, av.error.ExitError)
            reason = f"nothing came for {TIMEOUT} seconds" if late else error.strerror
            self.problems.append(f"{self.name}: {what} ({reason}).")
            damaged -= self.live  # the piece that was being sent
        if damaged > 0:
            self.problems.append(f"{self.name}: damaged; {damaged} pieces of it were passed over.")


def open_video(source: str | os.PathLike | int) -> Video | Animation:
    """The `Video` of a source, or for an animated picture its `Animation`."""
    moving = not isinstance(source, int) and is_animation(source)
    return Animation(source) if moving else Video(source)


def read_frames(source: str | os.PathLike | int) -> Iterator[Frame]:
    """Yields the frames of a video or animated picture, or of a camera by its number.

    Problems are logged.

    The rotation that the file asks for is applied, and times are those of the file, also where the
    frame rate varies.

    Raises:
        OSError, ValueError: it cannot be opened, or has no pictures.
    """
    with closing(open_video(source)) as video:
        yield from video
        for problem in video.problems:
            LOG.warning(problem)


class VideoWriter:
    """An H.264 video, playable but for the last two seconds even if the process is killed.

    Args:
        path: of the .mp4 file, which is made with the first frame and replaces an earlier file.
        rate: approximate frames per second; each frame keeps its own time.

    Raises:
        OSError: in any method, if the file cannot be written; frames written before stay.
    """

    def __init__(self, path: str | os.PathLike, rate: Fraction | None = None):
        self.path = Path(path)
        self._rate = Fraction(rate or 30).limit_denominator(10_000)
        self._container = self._stream = None
        self._last = -1
        self._error = None  # after an error, another call of FFmpeg may crash the process

    def write(self, image: np.ndarray, time: float) -> None:
        """Adds a picture (H, W, 3) uint8 RGB that is shown from `time` on, in seconds."""
        if self._error:
            raise self._error
        # 4:2:0 needs even sizes: the last row and column are repeated.
        odd = [(0, side % 2) for side in image.shape[:2]]
        image = np.pad(image, (*odd, (0, 0)), mode="edge") if any(map(any, odd)) else image
        if self._stream is None:
            self._open(*image.shape[:2])
        frame = av.VideoFrame.from_ndarray(image, "rgb24").reformat(
            self._stream.width,
            self._stream.height,
            format="yuv420p",
            dst_colorspace="ITU709",
            dst_color_range="MPEG",
        )
        self._last = max(round(time * TICKS), self._last + 1)
        frame.pts, frame.time_base = self._last, Fraction(1, TICKS)
        self._mux(frame)

    def close(self) -> None:
        """Writes the frames that the encoder still holds, and the index."""
        if self._stream is None:
            return
        try:
            if not self._error:
                self._mux(None)
        finally:
            self._stream = None
            try:
                self._container.close()
            except (OSError, av.error.FFmpegError) as error:
                raise self._failed(error) from error

    def _open(self, height, width):
        try:
            self._container = av.open(str(self.path), "w", format="mp4", options=CONTAINER)
            stream = self._container.add_stream("libx264", rate=self._rate, options=ENCODER)
        except OSError as error:
            raise self._failed(error) from error
        except av.error.FFmpegError as error:
            raise OSError(f"PyAV has no H.264 encoder ({error}); install its wheel.") from error
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.time_base = stream.codec_context.time_base = Fraction(1, TICKS)
        stream.codec_context.gop_size = max(round(self._rate), 1)
        # 1 is BT.709. Players assume it for large pictures, and guess wrong for small ones.
        context = stream.codec_context
        context.colorspace = context.color_primaries = context.color_trc = 1
        context.color_range = 1
        self._stream = stream

    def _mux(self, frame):
        try:
            for packet in self._stream.encode(frame):
                self._container.mux(packet)
        except (OSError, av.error.FFmpegError) as error:  # FFmpegError: larger than H.264 allows
            self._error = self._failed(error)
            raise self._error from error

    def _failed(self, error):
        reason = error.strerror or error
        return OSError(f"{self.path}: cannot be written ({reason}). What was there is kept.")


def _open_file(name):
    if Path(name).is_dir():
        raise IsADirectoryError(f"{name}: a folder; name one video file.")
    if not existing(name).stat().st_size:
        raise ValueError(f"{name}: an empty file (0 bytes); copy it again from its source.")
    try:
        return av.open(name)
    except av.error.PermissionError as error:
        raise PermissionError(f"{name}: may not be read; change its permissions.") from error
    except av.error.FFmpegError as error:
        raise ValueError(f"{name}: not a video, or damaged ({error.strerror}).") from error


def _open_address(name):
    try:
        return av.open(name, timeout=TIMEOUT)
    except (av.error.FFmpegError, OSError) as error:
        raise OSError(
            f"{name}: no video from this address ({error.strerror or error}); check it, or save "
            "the stream to a file first."
        ) from error


def _is_endless(container):
    """Whether an address sends for as long as it is asked, and not a file."""
    known = container.duration or (container.size > 0 and container.format.name != "hls")
    return not known


def _open_camera(number):
    try:
        if sys.platform == "win32":
            device, name = "dshow", f"video={av.enumerate_input_devices('dshow')[number].name}"
        else:
            device, name = CAMERAS.get(sys.platform, CAMERAS["linux"])
        return av.open(name.format(number), format=device)
    except (av.error.FFmpegError, IndexError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "there is none"
        raise OSError(
            f"camera {number}: cannot be opened ({reason}). Cameras count from 0; "
            "check that it is plugged in and that no other program uses it."
        ) from error


def _pixel_shape(stream):
    """Width of a pixel divided by its height, where that is believable."""
    ratio = stream.sample_aspect_ratio or stream.codec_context.sample_aspect_ratio or 1
    return ratio if Fraction(1, 8) < ratio < 8 else Fraction(1)


def _upright(frame, pixel=1):
    """The picture of a frame with square pixels, turned and mirrored by its display matrix."""
    image = frame.to_ndarray(format="rgb24")
    if pixel != 1:  # the shorter side of the pixels is made longer, so that nothing is lost
        width, height = round(frame.width * max(pixel, 1)), round(frame.height / min(pixel, 1))
        image = np.asarray(Image.fromarray(image).resize((width, height), Image.Resampling.BICUBIC))
    for data in frame.side_data:
        if data.type.name == "DISPLAYMATRIX":
            (a, b), (c, d) = np.frombuffer(data, np.int32).reshape(3, 3)[:2, :2]
            # A point (x, y) is shown at (a x + c y, b x + d y).
            if abs(int(b)) > abs(int(a)):
                image, a, d = image.swapaxes(0, 1), c, b
            image = image[:: -1 if d < 0 else 1, :: -1 if a < 0 else 1]
    return np.ascontiguousarray(image)


def _newest(frames):
    """Yields the newest frame at each step, and skips those that came during the last step."""
    slot, done = queue.Queue(1), threading.Event()

    def put(item):
        with suppress(queue.Empty):
            slot.get_nowait()
        slot.put(item)

    def read():
        for frame in frames:
            put(frame)
            if done.is_set():
                return
        slot.put(None)

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    try:
        while (frame := slot.get()) is not None:
            yield frame
    finally:
        done.set()
        with suppress(queue.Empty):
            slot.get_nowait()
        thread.join(timeout=5)
