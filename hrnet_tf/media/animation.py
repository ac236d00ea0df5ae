"""Reads animated GIF, WebP, PNG and AVIF pictures as videos."""

import os
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

from PIL import Image

from hrnet_tf.files import one_line, short
from hrnet_tf.media.frames import Frame
from hrnet_tf.media.images import pixels

USUAL = 100  # milliseconds of a frame whose file says 10 or fewer, as in browsers


class Animation:
    """An animated picture with the attributes of a `Video`; transparent frames are put on white.

    Args:
        path: a file of which `is_animation` is true.

    Raises:
        OSError, ValueError: it cannot be opened.
    """

    live = False

    def __init__(self, path: str | os.PathLike):
        self.name, self.stem = os.fspath(path), short(Path(path).stem)
        self.problems, self.seconds = [], []
        self._image = Image.open(path)
        self.total = self._image.n_frames
        self.rate = Fraction(1000, round(_milliseconds(self._image)))

    def __iter__(self) -> Iterator[Frame]:
        now = 0.0
        for index in range(self.total):
            start = time.perf_counter()
            try:
                self._image.seek(index)
                image = pixels(self._image)
            except Exception as error:  # Pillow raises many types on damaged files
                reason = one_line(error)
                self.problems.append(f"{self.name}: cannot be read further ({reason}).")
                return
            self.seconds.append(time.perf_counter() - start)
            yield Frame(index, now, image)
            now += _milliseconds(self._image) / 1000

    def close(self):
        self._image.close()


def _milliseconds(image):
    """How long the current frame is shown."""
    duration = image.info.get("duration") or 0
    return duration if duration > 10 else USUAL
