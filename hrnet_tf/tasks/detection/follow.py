"""Follows objects through videos: `follow` yields frames, `predict_video` writes files."""

import os
import time
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np

from hrnet_tf.media.images import pixels
from hrnet_tf.media.video import Frame
from hrnet_tf.tasks.detection.detections import Detections
from hrnet_tf.tasks.detection.draw import draw_detections
from hrnet_tf.tasks.detection.results import coco_results
from hrnet_tf.tasks.detection.track import BoxTracker, Tracking
from hrnet_tf.tasks.task import Predictor
from hrnet_tf.tasks.videos import write_video


class Followed(NamedTuple):
    """A `Frame` with the objects in it that are followed, and the id of each."""

    index: int
    time: float
    image: np.ndarray
    objects: Detections
    ids: list[int]


def follow(
    predictor: Predictor,
    frames: Iterable[Frame | tuple[int, float, np.ndarray]],
    settings: Tracking | None = None,
) -> Iterator[Followed]:
    """Finds the objects of a video and follows them.

    Args:
        predictor: finds the objects; its `timings` also get the stage track. With a low score
            threshold, objects are followed while they are half hidden.
        frames: `(index, time in seconds, image)`, for example from `read_frames`.
        settings: settings of the tracker.

    Yields:
        A `Followed` for each frame.
    """
    tracker = BoxTracker(settings)
    items = (((index, now), image) for index, now, image in frames)
    for (index, now), image, found in predictor.stream(items):
        start = time.perf_counter()
        objects, ids = tracker.update(found, now)
        predictor.timings.add("track", time.perf_counter() - start)
        yield Followed(index, now, image, objects, ids)


def predict_video(
    predictor: Predictor,
    source: str | os.PathLike | int,
    folder: str | os.PathLike,
    settings: Tracking | None = None,
    draw_threshold: float = 0.3,
    **given,
) -> dict:
    """Follows the objects of a video; writes `NAME.mp4`, `NAME.jsonl` and `timings.json`.

    A line of `NAME.jsonl` is an object in a frame: frame, time and id, and then an entry of COCO's
    results format without `image_id`.

    Args:
        predictor: finds the objects; its `timings` get further stages.
        source: a video file, or the number of a camera: 0 or "0" for the first.
        folder: folder for the results.
        settings: settings of the tracker.
        draw_threshold: objects with a lower score are not drawn.
        given: `overwrite`, `show` and `progress`, as in `tasks.videos.write_video`, which also
            lists what is returned and raised.
    """
    return write_video(_Objects(predictor, settings, draw_threshold), source, folder, **given)


class _Objects:
    """The objects of a video as a `videos.Follower`."""

    counted = "objects"

    def __init__(self, predictor, settings, draw_threshold):
        self.timings = predictor.timings
        self._predictor, self._settings = predictor, settings
        self._draw_threshold = draw_threshold

    def follow(self, frames):
        return follow(self._predictor, frames, self._settings)

    def draw(self, frame):
        names, least = self._predictor.card.classes, self._draw_threshold
        return pixels(draw_detections(frame.image, frame.objects, names, least, frame.ids, False))

    def lines(self, frame):
        records = coco_results(frame.index, frame.objects, self._predictor.card)
        times = {"frame": frame.index, "time": round(frame.time, 6)}
        return [
            {**times, "id": number, **{k: v for k, v in record.items() if k != "image_id"}}
            for number, record in zip(frame.ids, records, strict=True)
        ]

    def facts(self):
        return {}
