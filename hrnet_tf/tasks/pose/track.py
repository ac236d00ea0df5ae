"""People followed through a video: who is who, where to look next, joints that do not tremble.

NumPy only, and no images: a `Tracker` takes the poses of each frame and its time. People are
matched by object keypoint similarity (OKS) to where their motion should have taken them. Joints are
smoothed by the One-Euro filter (Casiez et al., CHI 2012), whose speeds are in units of the person's
size, so that one setting serves every resolution and frame rate.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from scipy.optimize import linear_sum_assignment

from hrnet_tf.tasks.pose.oks import similarity
from hrnet_tf.tasks.pose.predictor import Pose

SIGMA = 0.07  # where a keypoint set has none: the middle of COCO's
AREA = 0.25  # of a person of size 1: COCO's standing people
MARGINS = (0.05, 0.3)  # least and most between joints and box, in sizes
STILL = 0.93  # overlap (IoU) with the last box from which that one stays
APART = 0.1  # overlap (IoU) of boxes below which people do not disturb each other
LEAST_SIZE = 12.0  # pixels
LEAST_STEP = 1e-3  # seconds, between frames with the same time stamp


@dataclass(frozen=True)
class OneEuro:
    """Parameters of the One-Euro filter.

    Attributes:
        min_cutoff: Hz; the lower, the calmer are joints at rest.
        beta: Hz per (size of the person / second); the higher, the less do quick joints lag.
        speed_cutoff: Hz, for the speed itself (`dcutoff` in the paper).
    """

    min_cutoff: float = 1.2
    beta: float = 20.0
    speed_cutoff: float = 1.0


@dataclass(frozen=True)
class Tracking:
    """Settings of a `Tracker`.

    Attributes:
        detect_every: frames from one detection to the next while all is well.
        retry_every: frames from one detection to the next while somebody is missing.
        seen: score from which a joint counts.
        least_score: mean score of the better half of the joints from which a pose is a person.
        same: OKS with where a person is expected, from which a pose is theirs.
        double: OKS of two poses of a frame, from which they are one person found twice.
        coast: seconds for which the box of a lost person moves on.
        forget: seconds after which a lost person comes back as a new one.
        hold: seconds for which a hidden joint moves with its person; later it starts afresh.
        smoothing: of the joints; None leaves them as they were found.
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
    """One person, as far as known at `time`; all joints move on with the person."""

    id: int
    time: float
    points: np.ndarray  # (K, 2), as found
    smooth: np.ndarray  # (K, 2), filtered
    speeds: np.ndarray  # (K, 2), pixels per second beside the person's own, of the filter
    last_seen: np.ndarray  # (K,), times of the joints
    velocity: np.ndarray  # (2,), of the person, pixels per second
    course: np.ndarray  # (2,), the same over a longer time and without the others' influence
    found: float = 0.0  # time of the last pose
    scores: np.ndarray = None  # (K,), of the last pose
    spans: np.ndarray = None  # (K,) bool, joints that span the box
    margins: np.ndarray = None  # (4,), box beyond them: left, top, right, bottom, in sizes
    last_box: np.ndarray = None  # (4,), of the last pose

    @property
    def lost(self):
        return self.found < self.time

    @property
    def size(self):
        return _size(self.points[self.spans])

    def move(self, time, coast):
        """To where the person is expected at `time`."""
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
        # A box that trembles with the joints makes them tremble.
        still = _overlap(box[None], self.last_box[None])[0, 0] >= STILL
        return self.last_box if still else box


class Tracker:
    """Follows people from frame to frame.

    For each frame: `boxes`, then the poses in them, then `update`.

    Args:
        sigmas: K spreads of the keypoints, as fractions of the person's size (a `KeypointSet` has
            them); None where no OKS is defined.
        settings: see `Tracking`.

    Attributes:
        detect: whether the next frame should go through the detector.
    """

    def __init__(self, sigmas: Sequence[float] | None = None, settings: Tracking | None = None):
        self.settings = settings or Tracking()
        self.detect = True
        self._sigmas = SIGMA if sigmas is None else np.asarray(sigmas)
        self._tracks = []
        self._next_id = 1
        self._since = 0  # frames since the last detection
        self._own = np.zeros((0, 4), np.float32)  # boxes of ours, not of the detector

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
        """Where to look in the next frame.

        Args:
            time: of the frame, in seconds.
            size: (height, width) of the image in pixels.
            detected: boxes (N, 4) of the detector, if it has run. They take the place of the boxes
                of the people they cover.

        Returns:
            Boxes (M, 4) float32, x, y, width, height in image pixels.
        """
        coasting = [t for t in self._tracks if time - t.found <= self.settings.coast]
        own = np.array([t.box(time) for t in coasting], np.float32).reshape(-1, 4)
        corners = own[:, :2], own[:, :2] + own[:, 2:]
        own = own[((corners[0] < size[::-1]) & (corners[1] > 0)).all(axis=1)]
        found = np.zeros((0, 4), np.float32)
        if detected is not None:
            found = np.asarray(detected, np.float32).reshape(-1, 4)
            own = np.delete(own, [row for row, _ in _assign(_overlap(own, found), 0.3)], axis=0)
        self._own = own
        return np.concatenate([found, own])

    def update(self, poses: Sequence[Pose], time: float, detected: bool = False) -> list[Pose]:
        """Takes the poses found in `boxes`.

        Args:
            poses: of one frame.
            time: of the frame, in seconds.
            detected: whether the detector has run on it: only then people are added.

        Returns:
            The poses of the people followed, with `id` and smoothed keypoints, in order of ids.
        """
        seconds = max([time - t.time for t in self._tracks] or [0.0])
        lost = [track for track in self._tracks if track.lost]
        known = [track for track in self._tracks if not track.lost]
        for track in self._tracks:
            track.move(time, self.settings.coast)
        poses = [pose for pose in poses if self._is_person(pose)]
        matches, strangers = self._match((known, lost), poses)
        for track, pose in matches:
            self._follow(track, pose, max(seconds, LEAST_STEP))
        if detected:
            new = [pose for pose in strangers if not self._is_own(pose)]
            matches += [(self._start(pose, time), pose) for pose in new]
        self._tracks = [t for t in self._tracks if time - t.found <= self.settings.forget]
        self._since = 1 if detected else self._since + 1
        missing = not self._tracks or any(track.lost for track in self._tracks)
        every, retry = self.settings.detect_every, self.settings.retry_every
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
        """Pairs (track, pose), and the poses of nobody known; nobody counts twice."""
        matches = []
        for tracks in groups:
            poses = self._others(poses, matches)
            likely = np.array([[self._likely(t, p) for p in poses] for t in tracks])
            pairs = _assign(likely.reshape(len(tracks), len(poses)), self.settings.same)
            for row, column in sorted(pairs, key=lambda pair: -likely[pair]):
                if self._others([poses[column]], matches):
                    matches.append((tracks[row], poses[column]))
        strangers = []
        for pose in sorted(self._others(poses, matches), key=lambda pose: -pose.score):
            if self._others([pose], strangers):
                strangers.append((None, pose))
        return matches, [pose for _, pose in strangers]

    def _others(self, poses, matches):
        """The poses that are not of the people matched."""
        return [p for p in poses if not any(self._is_double(p, known) for _, known in matches)]

    def _likely(self, track, pose):
        # The longer nobody has seen a person, the less is known of where.
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
        """Takes a pose of a known person; `seconds` since the last frame."""
        seen = pose.scores >= self.settings.seen
        fresh = seen & (track.time - track.last_seen > self.settings.hold)
        steady = seen & ~fresh
        shift = np.zeros(2)
        if steady.any():
            # The median: a person walks on while an arm waves.
            shift = np.median((pose.keypoints - track.points)[steady], axis=0)
            if track.time - track.found < 1.5 * seconds:
                track.velocity = track.velocity + _share(1.0, seconds) * shift / seconds
                others = [t.last_box for t in self._tracks if t is not track]
                if not others or _overlap(pose.box[None], np.stack(others)).max() < APART:
                    track.course = track.course + _share(0.5, seconds) * (
                        track.velocity - track.course
                    )
        track.points = np.where(seen[:, None], pose.keypoints, track.points + shift)
        self._smooth(track, pose.keypoints, steady, seconds)
        track.smooth = np.where(fresh[:, None], pose.keypoints, track.smooth)
        track.last_seen = np.where(seen, track.time, track.last_seen)
        self._note(track, pose)

    def _smooth(self, track, keypoints, steady, seconds):
        """One step of the filter for the joints that are seen; the others move with the person."""
        if (euro := self.settings.smoothing) is None:
            track.smooth = np.where(steady[:, None], keypoints, track.smooth)
            return
        error = np.where(steady[:, None], keypoints - track.smooth, 0.0)
        track.speeds += _share(euro.speed_cutoff, seconds) * (error / seconds - track.speeds)
        speed = np.linalg.norm(track.speeds, axis=-1, keepdims=True) / track.size
        track.smooth = track.smooth + error * _share(euro.min_cutoff + euro.beta * speed, seconds)

    def _note(self, track, pose):
        """What the next frames need to know of a pose."""
        track.found, track.scores, track.last_box = track.time, pose.scores, pose.box
        track.spans = _clear(track.time - track.last_seen <= self.settings.hold)
        if not self._is_own(pose):  # but the detector's: it knows how far a body reaches
            low, high = track.points[track.spans].min(axis=0), track.points[track.spans].max(axis=0)
            around = np.concatenate([low - pose.box[:2], pose.box[:2] + pose.box[2:] - high])
            track.margins = np.clip(around / track.size, *MARGINS)


def _share(cutoff, seconds):
    """How much of the new a low-pass filter takes: `cutoff` in Hz."""
    return 1 / (1 + 1 / (2 * np.pi * cutoff * seconds))


def _clear(mask):
    """The mask, or all if it leaves too little to measure."""
    return mask if mask.sum() >= 2 else np.ones_like(mask)


def _size(points):
    """Longest side of what points (K, 2) span, in pixels."""
    return max(np.ptp(points, axis=0).max(), LEAST_SIZE)


def _oks(points, scores, pose, size, sigmas):
    """OKS of points of a person of that size with a pose; sure joints count more."""
    weights = np.minimum(scores, pose.scores).clip(0)
    near = similarity(points, pose.keypoints, np.float64(AREA * size**2), sigmas)
    return (weights * near).sum() / max(weights.sum(), 1e-9)


def _overlap(boxes, others):
    """Intersection over union of boxes (N, 4) with others (M, 4): (N, M)."""
    a, b = boxes[:, None], others[None]
    sides = np.minimum(a[..., :2] + a[..., 2:], b[..., :2] + b[..., 2:])
    common = (sides - np.maximum(a[..., :2], b[..., :2])).clip(0).prod(-1)
    return common / (a[..., 2:].prod(-1) + b[..., 2:].prod(-1) - common).clip(1e-9)


def _assign(matrix, least):
    """The pairs (row, column) of the largest sum, those from `least` on."""
    matrix = np.where(matrix >= least, matrix, 0)
    pairs = zip(*linear_sum_assignment(matrix, maximize=True), strict=True)
    return [(int(row), int(column)) for row, column in pairs if matrix[row, column] >= least]
