"""Follows objects through a video by the overlap of their boxes.

The method is ByteTrack (Zhang et al. ECCV 2022): sure objects are matched first; weak ones, which
may be hidden, only continue known tracks. In place of the paper's Kalman filter, boxes move with
their low-pass filtered velocity.
"""

from dataclasses import dataclass, replace

import numpy as np

from hrnet_tf.tasks.detection.detections import Detections
from hrnet_tf.tasks.overlap import assign, box_iou

LEAST_STEP = 1e-3  # seconds that count between frames with the same time stamp


@dataclass(frozen=True)
class Tracking:
    """Settings of a `BoxTracker`.

    Attributes:
        sure: objects of at least this score are sure; only these start tracks.
        weak: objects of a lower score are ignored.
        same: a sure object continues a track if their IoU is at least this.
        same_weak: the same for a weak object.
        forget: seconds after which a lost object that returns gets a new id.
        settle: seconds over which the velocity of a box is averaged.
    """

    sure: float = 0.5
    weak: float = 0.1
    same: float = 0.2
    same_weak: float = 0.5
    forget: float = 1.0
    settle: float = 0.1


@dataclass(frozen=True, eq=False)
class _Track:
    """The state of one object at `time`, the last time that it was found."""

    kind: int  # index of its class
    box: np.ndarray  # (4,) x, y, width, height, pixels
    time: float
    velocity: np.ndarray  # (4,) of the box, pixels/s
    id: int | None = None  # None until the object is found a second time

    def at(self, time):
        """Its expected box."""
        moved = self.box + self.velocity * (time - self.time)
        return np.concatenate([moved[:2], np.maximum(moved[2:], 1)])


class BoxTracker:
    """Gives objects ids from frame to frame; call `update` for each frame.

    An object has an id from the second time that it is found, in the first frame of a video at
    once. A single false detection thus never gets one.
    """

    def __init__(self, settings: Tracking | None = None):
        self.settings = settings or Tracking()
        self._tracks, self._next_id, self._time = [], 1, None

    def update(self, found: Detections, time: float) -> tuple[Detections, list[int]]:
        """The objects of a frame that are followed, and their ids, sorted by id.

        Args:
            found: all objects of the frame, weak ones too.
            time: of the frame, in seconds.
        """
        settings = self.settings
        sure = np.flatnonzero(found.scores >= settings.sure)
        weak = np.flatnonzero((found.scores < settings.sure) & (found.scores >= settings.weak))
        recent = [track for track in self._tracks if track.time == self._time]
        known = [t for t in self._tracks if t in recent or time - t.time <= settings.forget]
        pairs = self._match(known, found, sure, time, settings.same)
        matched = {track for track, _ in pairs}
        recent = [track for track in recent if track not in matched]
        pairs += self._match(recent, found, weak, time, settings.same_weak)
        followed = {row: self._continued(track, found.boxes[row], time) for track, row in pairs}
        matched = {track for track, _ in pairs}
        lost = [track for track in known if track not in matched and track.id is not None]
        for row in sure:
            if row not in followed:
                box, first = found.boxes[row].astype(np.float64), self._time is None
                track = _Track(int(found.classes[row]), box, time, np.zeros(4))
                followed[row] = replace(track, id=self._new_id()) if first else track
        self._tracks, self._time = [*followed.values(), *lost], time
        ids = {row: track.id for row, track in followed.items() if track.id is not None}
        rows = sorted(ids, key=ids.get)
        return found.chosen(np.array(rows, int)), [ids[row] for row in rows]

    def _match(self, tracks, found, rows, time, least):
        """Pairs (track, row of `found`) of one class whose boxes overlap enough."""
        if not tracks or not len(rows):
            return []
        overlap = box_iou(np.stack([track.at(time) for track in tracks]), found.boxes[rows])
        kinds = np.array([track.kind for track in tracks])
        overlap = overlap * (kinds[:, None] == found.classes[rows])
        return [(tracks[i], int(rows[j])) for i, j in assign(overlap, least)]

    def _continued(self, track, box, time):
        """The track after its object was found again."""
        seconds = max(time - track.time, LEAST_STEP)
        box = box.astype(np.float64)
        share = seconds / (seconds + self.settings.settle)
        velocity = track.velocity + share * ((box - track.box) / seconds - track.velocity)
        known = self._new_id() if track.id is None else track.id
        return replace(track, box=box, time=time, velocity=velocity, id=known)

    def _new_id(self):
        self._next_id += 1
        return self._next_id - 1
