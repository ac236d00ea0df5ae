"""`PosePredictor`: from images and boxes in memory to poses."""

import logging
import os
import time
from collections import defaultdict, deque
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import groupby

import keras
import numpy as np
from keras import ops

from hrnet_tf.cards.codecs import merge_flipped
from hrnet_tf.cards.pose import PoseCard
from hrnet_tf.media.images import check_image
from hrnet_tf.opening import crop_size, settled
from hrnet_tf.runtime.keras_model import compiled
from hrnet_tf.runtime.network import Network
from hrnet_tf.tasks import streaming
from hrnet_tf.tasks.pose import geometry
from hrnet_tf.tasks.streaming import Timings, ahead

NO_PAIRS = "No keypoints are known to be left and right of each other, so nothing is %s."
LOG = logging.getLogger(__name__)

SEEN = 0.2  # only keypoints with higher scores count for a pose's score (Sun et al. CVPR 2019)


@dataclass(frozen=True)
class Inside:
    """The network's input and output for one person.

    Attributes:
        crop: (H, W, 3) uint8 RGB, the input before the normalisation.
        heatmaps: (h, w, K); in the flip test, the mean over both crops.
        keypoints: (K, 2), x and y in pixels of the crop.
    """

    crop: np.ndarray
    heatmaps: np.ndarray
    keypoints: np.ndarray


@dataclass(frozen=True)
class Pose:
    """One person.

    Attributes:
        keypoints: (K, 2), x and y in image pixels, pixel centres at integers.
        scores: (K,), peaks of the heat maps.
        box: (4,), x, y, width, height in image pixels.
        score: score of the box times the mean of the keypoint scores above 0.2.
        names: K names of the keypoints, from the network's card.
        id: number of the person, the same in all frames of a video; None in a picture.
        inside: crop and heat maps, if the predictor has `inside=True`.
    """

    keypoints: np.ndarray
    scores: np.ndarray
    box: np.ndarray
    score: float
    names: tuple[str, ...] = ()
    id: int | None = None
    inside: Inside | None = None


@dataclass
class _Picture:
    """An image that is being processed: one pose is appended for each box."""

    key: Hashable
    image: np.ndarray
    boxes: np.ndarray
    scores: np.ndarray
    poses: list[Pose] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=lambda: defaultdict(float))

    @property
    def done(self):
        return len(self.poses) == len(self.boxes)


class PosePredictor:
    """Finds the keypoints of the people in images.

    Args:
        model: a preset, a `.keras` file, a Keras model, or anything that maps normalised crops
            (B, H, W, 3) float32 to heat maps (B, h, w, channels), both NumPy arrays.
        card: what the heat maps mean; by default the preset's, or the one beside the file.
        flip: average with the mirrored crop: more accurate, and twice the work.
        batch_size: crops per call of the network; a batch may hold crops of several images.
        weights: checkpoint for a preset.
        input_size: (height, width) of the crops, for a network that does not fix it.
        inside: poses carry their crop and heat maps.

    Attributes:
        timings: seconds of the stages crop, network and decode so far.

    Raises:
        OSError, ValueError: the model cannot be opened, or does not fit its card.
    """

    def __init__(
        self,
        model: str | os.PathLike | keras.Model | Network | Callable[[np.ndarray], np.ndarray],
        card: PoseCard | None = None,
        flip: bool = False,
        batch_size: int = 16,
        weights: str | os.PathLike | Mapping | None = "published",
        input_size: tuple[int, int] | None = None,
        inside: bool = False,
    ):
        if not isinstance(batch_size, int) or batch_size < 1:
            raise ValueError(
                f"`batch_size` must be a positive integer. Received: batch_size={batch_size!r}."
            )
        self._network, self.card = settled(model, card, weights, PoseCard)
        self.flip = flip and bool(self.card.keypoints.flip_pairs)
        if flip and not self.flip:
            LOG.warning(NO_PAIRS, "averaged with the mirrored picture")
        self.batch_size = batch_size
        self.input_size = crop_size(self._network, input_size)
        self.inside = inside
        self.timings = Timings()
        self._read = None  # the decoder, compiled when the size of the heat maps is known

    def __call__(self, image: np.ndarray, boxes: np.ndarray | None = None) -> list[Pose]:
        """Poses of one image; see `stream`."""
        # One picture has nothing to crop beside the network's work, so no thread is started.
        return next(self._found([("image", image, boxes)], map))[2]

    def stream(self, items: Iterable[tuple]) -> Iterator[tuple[Hashable, np.ndarray, list[Pose]]]:
        """Finds the poses in many images; crops of different images share batches.

        A box that is not finite, has no area or lies outside its image is left out with a warning.
        Memory does not grow with the number of images: at most three batches exist at a time.

        Args:
            items: `(key, image)`, `(key, image, boxes)` or `(key, image, boxes, box_scores)`: image
                (H, W, 3) uint8 RGB; boxes (N, 4) as x, y, width, height in its pixels, or None for
                the whole image.

        Yields:
            `(key, image, poses)` in the order of the items: one pose per usable box, in the order
                of the boxes.

        Raises:
            ValueError: an image or its boxes have another type or shape.
        """
        # A background thread crops the next batch while the network works on this one.
        return self._found(items, partial(ahead, depth=1, weigh=_held))

    def _found(self, items, mapped):
        waiting = deque()
        for batch in mapped(self._crop, self._batches(items, waiting)):
            self._predict(*batch)
            yield from self._finished(waiting)

    def _batches(self, items, waiting):
        """Lists of jobs `(picture, index of box)`; the pictures also join `waiting`."""
        jobs, held = [], 0
        for item in items:
            picture = _picture(*item)
            waiting.append(picture)
            held += picture.image.size
            for index in range(len(picture.boxes)):
                jobs.append((picture, index))
                if len(jobs) == self.batch_size:
                    yield jobs
                    jobs, held = [], 0
            if held > streaming.HELD_BYTES:  # large pictures, or many that have no box
                yield jobs
                jobs, held = [], 0
        yield jobs

    def _finished(self, waiting):
        while waiting and waiting[0].done:
            picture = waiting.popleft()
            for stage, seconds in picture.seconds.items():
                self.timings.add(stage, seconds)
            yield picture.key, picture.image, picture.poses

    def _crop(self, jobs):
        """Returns the jobs, their normalised crops, and the matrices from crop to image."""
        if not jobs:
            return jobs, None, None
        start = time.perf_counter()
        height, width = self.input_size
        boxes = np.stack([picture.boxes[index] for picture, index in jobs])
        regions = geometry.center_scale(boxes, width / height, self.card.padding)
        aligned = self.card.codec.aligned
        matrices = geometry.affine(*regions, self.input_size, aligned=aligned)
        inverses = ops.convert_to_numpy(geometry.invert(matrices))
        crops, first = [], 0
        for _, group in groupby(jobs, key=lambda job: id(job[0])):
            group = list(group)
            rows = inverses[first : first + len(group)]
            crops.append(geometry.crop_upright(group[0][0].image, rows, self.input_size))
            first += len(group)
        crops = ops.convert_to_numpy(self.card.normalize(np.concatenate(crops)))
        _share(jobs, "crop", start)
        return jobs, crops, inverses

    def _predict(self, jobs, crops, inverses):
        """Appends one pose to the picture of each job."""
        if not jobs:
            return
        start = time.perf_counter()
        maps = [self._heatmaps(crops)]
        if self.flip:
            maps.append(self._heatmaps(np.ascontiguousarray(crops[:, :, ::-1])))
        start = _share(jobs, "network", start)
        cropped, scores = self._decode(maps)
        keypoints = geometry.transform(cropped, inverses)
        keypoints = ops.convert_to_numpy(keypoints)
        totals = rescore([picture.scores[index] for picture, index in jobs], scores)
        insides = self._insides(crops, maps, cropped) if self.inside else [None] * len(jobs)
        found = zip(jobs, keypoints, scores, totals, insides, strict=True)
        names = self.card.keypoints.names
        for (picture, index), points, peaks, score, inside in found:
            box = picture.boxes[index]
            picture.poses.append(Pose(points, peaks, box, float(score), names, inside=inside))
        _share(jobs, "decode", start)

    def _heatmaps(self, crops):
        found = self._network({"image": crops})
        self.card.check_arrays(found)
        return np.asarray(found["heatmaps"], np.float32)

    def _insides(self, crops, maps, keypoints):
        """An `Inside` for each person of a batch."""
        crops = self.card.denormalize(crops)
        codec = self.card.codec
        if self.flip:
            pairs = self.card.keypoints.flip_pairs
            maps = [ops.convert_to_numpy(merge_flipped(*maps, pairs, codec))]
        return map(Inside, crops, codec.joint_maps(maps[0]), keypoints)

    def _decode(self, maps):
        """Keypoints in crop pixels, and their scores."""
        if not all(np.isfinite(m).all() for m in maps):
            raise ValueError(
                "The network returned heat maps that are not finite. Its weights are damaged, or "
                "its numbers overflow: load it again, or use float32."
            )
        if self._read is None:
            self._read = compiled(self._keypoints, *(m.shape for m in maps))
        keypoints, scores = self._read(*maps)
        return ops.convert_to_numpy(keypoints), ops.convert_to_numpy(scores)

    def _keypoints(self, *maps):
        """Keypoints in crop pixels, and scores; the flip test has maps of both crops."""
        pairs, codec = self.card.keypoints.flip_pairs, self.card.codec
        return codec.decode(merge_flipped(*maps, pairs, codec) if self.flip else maps[0])


def rescore(
    box_scores: Sequence[float], keypoint_scores: np.ndarray, threshold: float = SEEN
) -> np.ndarray:
    """Instance scores: box score times the mean of the keypoint scores above `threshold`.

    Args:
        box_scores: (N,).
        keypoint_scores: (N, K).
        threshold: 0.2 in the original (`IN_VIS_THRE`).

    Returns:
        (N,) scores; 0 where no keypoint score is above the threshold.
    """
    keypoint_scores = np.asarray(keypoint_scores, "float64")
    seen = keypoint_scores > threshold
    means = (seen * keypoint_scores).sum(-1) / np.maximum(seen.sum(-1), 1)
    return np.asarray(box_scores, "float64") * means


def _share(jobs, stage, start):
    """Divides the time since `start` among the pictures of the jobs; returns the time now."""
    now = time.perf_counter()
    for picture, _ in jobs:
        picture.seconds[stage] += (now - start) / len(jobs)
    return now


def _held(jobs):
    """Bytes of the images that the jobs belong to, each counted once."""
    return sum({id(picture): picture.image.nbytes for picture, _ in jobs}.values())


def _picture(key, image, boxes=None, box_scores=None):
    image = check_image(image)
    height, width, _ = image.shape
    boxes = [[0, 0, width, height]] if boxes is None else boxes
    boxes = np.asarray(boxes, np.float32)
    boxes = boxes.reshape(-1, 4) if boxes.size == 0 else boxes
    scores = np.ones(len(boxes)) if box_scores is None else np.asarray(box_scores, np.float32)
    if boxes.ndim != 2 or boxes.shape[1] != 4 or scores.shape != boxes.shape[:1]:
        raise ValueError(
            "`boxes` must be (N, 4) as x, y, width, height, and `box_scores` (N,). "
            f"Received: boxes.shape={boxes.shape}, box_scores.shape={scores.shape}."
        )
    x, y, w, h = boxes.T
    inside = (x < width) & (y < height) & (x + w > 0) & (y + h > 0)
    good = np.isfinite(boxes).all(axis=1) & (w > 0) & (h > 0) & inside
    if not good.all():
        LOG.warning(
            f"{key}: {(~good).sum()} of {len(good)} boxes left out: not finite, empty, or outside "
            f"its {width} x {height} pixels. The first is {boxes[~good][0].tolist()}."
        )
    return _Picture(key, image, boxes[good], scores[good])
