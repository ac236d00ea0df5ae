"""Follows people through a video: matches poses to people, predicts boxes, smooths joints.

A `Tracker` takes the poses of each frame and its time; it needs NumPy and no images. It matches a
pose to a person by object keypoint similarity (OKS) with the position that the person's motion
predicts. It smooths joints by the One-Euro filter (Casiez et al., CHI 2012), with speeds in units
of the person's size, so that one setting serves every resolution and frame rate.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from hrnet_tf.tasks.overlap import assign, box_iou
from hrnet_tf.tasks.pose.oks import similarity
from hrnet_tf.tasks.pose.predictor import Pose

SIGMA = 0.07  # OKS spread if a keypoint set has none: the middle of COCO's
AREA = 0.25  # area of a person of size 1, as of standing people in COCO
MARGINS = (0.05, 0.3)  # smallest and largest distance from joints to box, in sizes of the person
STILL = 0.93  # the last box is kept if its IoU with the new one is at least this
APART = 0.1  # people do not disturb each other if the IoU of their boxes is below this
LEAST_SIZE = 12.0  # pixels; a person is never taken to be smaller
FRAMES = 2  # for which somebody is looked for at least, however slow the frames
LEAST_STEP = 1e-3  # seconds that count between frames with the same time stamp


@dataclass(frozen=True)
class OneEuro:
    """Parameters of the One-Euro filter.

    Attributes:
        min_cutoff: in Hz; a lower value makes joints at rest calmer.
        beta: in Hz per (size of the person / second); a higher value makes quick joints lag less.
        speed_cutoff: in Hz, of the filter of the speed (`dcutoff` in the paper).
    """

    min_cutoff: float = 1.2
    beta: float = 20.0
    speed_cutoff: float = 1.0


@dataclass(frozen=True)
class Tracking:
    """Settings of a `Tracker`.

    Attributes:
        detect_every: frames from one detection to the next while everybody is found.
        retry_every: frames from one detection to the next while somebody is lost.
        seen: a joint counts if its score is at least this.
        least_score: a pose is a person if the better half of its joints has at least this mean
            score.
        same: a pose belongs to a person if its OKS with their predicted pose is at least this.
        double: two poses of a frame are the same person if their OKS is above this.
        coast: seconds for which the box of a lost person keeps moving.
        forget: seconds after which a lost person who returns gets a new id.
        hold: seconds for which a hidden joint moves with its person; later its filter restarts.
        smoothing: parameters of the filter; None leaves joints as they were found.
    """

    detect_every: int = 30
    retry_every: int = 10
    seen: float = 0.25
    least_score: float = 0.3
    same: float = 0.3
    double: float = 0.6
    coast: float = 0.7
    forget: float = 2.0
    hold: float = 0.5
    smoothing: OneEuro | None = field(default_factory=OneEuro)

    def __post_init__(self):
        for name in ("detect_every", "retry_every"):
            value = getattr(self, name)
            if not isinstance(value, int) or value < 1:
                raise ValueError(
                    f"`{name}` must be a positive integer. Received: {name}={value!r}."
                )


@dataclass
class _Track:
    """The state of one person at `time`. All joints move with the person."""

    id: int
    time: float
    points: np.ndarray  # (K, 2), joints as found, pixels
    smooth: np.ndarray  # (K, 2), joints after the filter, pixels
    speeds: np.ndarray  # (K, 2), velocity relative to the person's, pixels/s, low-pass filtered
    last_seen: np.ndarray  # (K,), time when each joint was last seen, seconds
    velocity: np.ndarray  # (2,), velocity of the person, pixels/s
    course: np.ndarray  # (2,), `velocity` averaged for longer, only while nobody else is near
    found: float = 0.0  # time of the last pose, seconds
    scores: np.ndarray = None  # (K,), scores of the last pose
    spans: np.ndarray = None  # (K,) bool, the joints that span the box
    margins: np.ndarray = None  # (4,), from them to the box: left, top, right, bottom, in sizes
    last_box: np.ndarray = None  # (4,), box of the last pose

    @property
    def lost(self):
        return self.found < self.time

    @property
    def size(self):
        return _size(self.points[self.spans])

    def move(self, time, coast):
        """Moves the person to where they are expected at `time`."""
        if self.lost:
            self.velocity = self.course if time - self.found <= coast else np.zeros(2)
        shift = self.velocity * (time - self.time)
        self.points, self.smooth, self.time = self.points + shift, self.smooth + shift, time

    def box(self, time):
        shift = self.velocity * (time - self.time)
        low = self.points[self.spans].min(axis=0) + shift
        high = self.points[self.spans].max(axis=0) + shift
        around = self.size * self.margins.reshape(2, 2) + 0.5 * np.abs(shift)
        low, high = low - around[0], high + around[1]
        box = np.concatenate([low, np.maximum(high - low, LEAST_SIZE)])
        # If the box trembles with the joints, the crop does, and makes the joints tremble more.
        still = box_iou(box[None], self.last_box[None])[0, 0] >= STILL
        return self.last_box if still else box


class Tracker:
    """Follows people from frame to frame.

    For each frame, call `boxes`, find the poses in them, and pass these to `update`.

    Args:
        sigmas: K spreads of the keypoints, as fractions of the person's size (a `KeypointSet` has
            them); None where no OKS is defined.
        settings: see `Tracking`.

    Attributes:
        detect: whether the detector should look at the next frame.
    """

    def __init__(self, sigmas: Sequence[float] | None = None, settings: Tracking | None = None):
        self.settings = settings or Tracking()
        self.detect = True
        self._sigmas = SIGMA if sigmas is None else np.asarray(sigmas)
        self._tracks = []
        self._next_id = 1
        self._since = 0  # frames since the last detection
        self._coast = self.settings.coast
        self._last = None  # time of the last frame
        self._own = np.zeros((0, 4), np.float32)  # boxes from tracks, not from the detector

    @property
    def following(self) -> bool:
        """Whether somebody was found in the last frame."""
        return any(not track.lost for track in self._tracks)

    def boxes(
        self,
        time: float,
        size: tuple[int, int],
        detected: np.ndarray | None = None,
    ) -> np.ndarray:
        """The boxes in which to look for poses in the next frame.

        Args:
            time: of the frame, in seconds.
            size: (height, width) of the image in pixels.
            detected: boxes (N, 4) of the detector, if it has run. They replace the boxes of the
                people whom they cover.

        Returns:
            Boxes (M, 4) float32 as x, y, width, height in image pixels.
        """
        # Who was found in the last frame is looked for, however late the next one comes.
        coasting = [t for t in self._tracks if not t.lost or time - t.found <= self._coast]
        own = np.array([t.box(time) for t in coasting], np.float32).reshape(-1, 4)
        corners = own[:, :2], own[:, :2] + own[:, 2:]
        own = own[((corners[0] < size[::-1]) & (corners[1] > 0)).all(axis=1)]
        found = np.zeros((0, 4), np.float32)
        if detected is not None:
            found = np.asarray(detected, np.float32).reshape(-1, 4)
            own = np.delete(own, [row for row, _ in assign(box_iou(own, found), 0.3)], axis=0)
        self._own = own
        return np.concatenate([found, own])

    def update(self, poses: Sequence[Pose], time: float, detected: bool = False) -> list[Pose]:
        """Takes the poses that were found in the boxes of `boxes`.

        Args:
            poses: of one frame.
            time: of the frame, in seconds.
            detected: whether the detector has run on this frame; only then new people are added.

        Returns:
            The poses of people who are followed, with `id` and smoothed keypoints, sorted by id.
        """
        seconds = 0.0 if self._last is None else time - self._last
        self._last = time
        lost = [track for track in self._tracks if track.lost]
        known = [track for track in self._tracks if not track.lost]
        for track in self._tracks:
            track.move(time, self._coast)
        poses = [pose for pose in poses if self._is_person(pose)]
        matches, strangers = self._match((known, lost), poses)
        for track, pose in matches:
            self._follow(track, pose, max(seconds, LEAST_STEP))
        if detected:
            new = [pose for pose in strangers if not self._is_own(pose)]
            matches += [(self._start(pose, time), pose) for pose in new]
        # Limits in seconds count at least FRAMES frames, so that slow videos are followed, too.
        self._coast = max(self.settings.coast, FRAMES * seconds)
        forget = max(self.settings.forget, FRAMES * seconds)
        self._tracks = [t for t in self._tracks if time - t.found <= forget]
        self._since = 1 if detected else self._since + 1
        missing = not self._tracks or any(track.lost for track in self._tracks)
        every, retry = self.settings.detect_every, self.settings.retry_every
        retry = min(retry, max(1, round(self.settings.coast / max(seconds, LEAST_STEP))))
        self.detect = self._since >= (min(every, retry) if missing else every)
        return [
            replace(pose, id=track.id, keypoints=track.smooth.astype(np.float32))
            for track, pose in sorted(matches, key=lambda match: match[0].id)
        ]

    def _is_person(self, pose):
        better_half = np.sort(pose.scores)[len(pose.scores) // 2 :]
        return better_half.mean() >= self.settings.least_score

    def _is_own(self, pose):
        return (self._own == pose.box).all(axis=1).any()

    def _match(self, groups, poses):
        """Pairs (track, pose), and the poses of unknown people; each person counts once."""
        matches = []
        for tracks in groups:
            poses = self._others(poses, matches)
            likely = np.array([[self._likely(t, p) for p in poses] for t in tracks])
            pairs = assign(likely.reshape(len(tracks), len(poses)), self.settings.same)
            for row, column in sorted(pairs, key=lambda pair: -likely[pair]):
                if self._others([poses[column]], matches):
                    matches.append((tracks[row], poses[column]))
        strangers = []
        for pose in sorted(self._others(poses, matches), key=lambda pose: -pose.score):
            if self._others([pose], strangers):
                strangers.append((None, pose))
        return matches, [pose for _, pose in strangers]

    def _others(self, poses, matches):
        """The poses that do not double one of those already matched."""
        return [p for p in poses if not any(self._is_double(p, known) for _, known in matches)]

    def _likely(self, track, pose):
        # The position of a lost person gets less certain with time.
        wide = self._sigmas * (1 + 4 * (track.time - track.found))
        return _oks(track.points, track.scores, pose, track.size, wide)

    def _is_double(self, pose, other):
        size = _size(other.keypoints[_clear(other.scores >= self.settings.seen)])
        overlap = _oks(other.keypoints, other.scores, pose, size, self._sigmas)
        return overlap > self.settings.double

    def _start(self, pose, time):
        points = pose.keypoints.astype(np.float64)
        last_seen = np.where(pose.scores >= self.settings.seen, time, -np.inf)
        still = np.zeros_like(points)
        track = _Track(self._next_id, time, points, points, still, last_seen, still[0], still[0])
        self._next_id += 1
        self._tracks.append(track)
        self._note(track, pose)
        return track

    def _follow(self, track, pose, seconds):
        """Takes a pose of a known person; the last frame was `seconds` earlier."""
        seen = pose.scores >= self.settings.seen
        fresh = seen & (track.time - track.last_seen > self.settings.hold)
        steady = seen & ~fresh
        shift = np.zeros(2)
        if steady.any():
            # The median ignores single joints, such as those of a waving arm.
            shift = np.median((pose.keypoints - track.points)[steady], axis=0)
            if track.time - track.found < 1.5 * seconds:
                track.velocity = track.velocity + _share(1.0, seconds) * shift / seconds
                others = [t.last_box for t in self._tracks if t is not track]
                if not others or box_iou(pose.box[None], np.stack(others)).max() < APART:
                    track.course = track.course + _share(0.5, seconds) * (
                        track.velocity - track.course
                    )
        track.points = np.where(seen[:, None], pose.keypoints, track.points + shift)
        self._smooth(track, pose.keypoints, steady, seconds)
        track.smooth = np.where(fresh[:, None], pose.keypoints, track.smooth)
        track.last_seen = np.where(seen, track.time, track.last_seen)
        self._note(track, pose)

    def _smooth(self, track, keypoints, steady, seconds):
        """One step of the filter for the steady joints; the others move with the person."""
        if (euro := self.settings.smoothing) is None:
            track.smooth = np.where(steady[:, None], keypoints, track.smooth)
            return
        error = np.where(steady[:, None], keypoints - track.smooth, 0.0)
        track.speeds += _share(euro.speed_cutoff, seconds) * (error / seconds - track.speeds)
        speed = np.linalg.norm(track.speeds, axis=-1, keepdims=True) / track.size
        track.smooth = track.smooth + error * _share(euro.min_cutoff + euro.beta * speed, seconds)

    def _note(self, track, pose):
        """Stores what the next frames need of a pose."""
        track.found, track.scores, track.last_box = track.time, pose.scores, pose.box
        track.spans = _clear(track.time - track.last_seen <= self.settings.hold)
        if not self._is_own(pose):  # a detector's box tells how far the body reaches beyond joints
            low, high = track.points[track.spans].min(axis=0), track.points[track.spans].max(axis=0)
            around = np.concatenate([low - pose.box[:2], pose.box[:2] + pose.box[2:] - high])
            track.margins = np.clip(around / track.size, *MARGINS)


def _share(cutoff, seconds):
    """Weight of the new value in a low-pass filter, for a `cutoff` in Hz."""
    return 1 / (1 + 1 / (2 * np.pi * cutoff * seconds))


def _clear(mask):
    """The mask, or a mask of all joints if it has fewer than two, too few to measure a size."""
    return mask if mask.sum() >= 2 else np.ones_like(mask)


def _size(points):
    """Longest side of the box around points (K, 2), in pixels."""
    return max(np.ptp(points, axis=0).max(), LEAST_SIZE)


def _oks(points, scores, pose, size, sigmas):
    """OKS of the points of a person of this size with a pose, weighted by the scores."""
    weights = np.minimum(scores, pose.scores).clip(0)
    near = similarity(points, pose.keypoints, np.float64(AREA * size**2), sigmas)
    return (weights * near).sum() / max(weights.sum(), 1e-9)
