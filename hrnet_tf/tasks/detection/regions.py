"""Runs detectors with regions: maps of the image, proposals, and heads of boxes and masks."""

import time
from collections.abc import Mapping
from typing import Any, Protocol

import keras
import numpy as np
from keras import ops

from hrnet_tf.cards.detection import DetectionCard
from hrnet_tf.networks.detection import BOX_SIZE, MASK_SIZE, STRIDES, split
from hrnet_tf.networks.heads.semantic import STRIDE
from hrnet_tf.runtime.keras_model import compiled, input_shapes
from hrnet_tf.tasks.detection.arrays import sigmoid
from hrnet_tf.tasks.detection.candidates import Candidates, finite
from hrnet_tf.tasks.detection.deltas import STAGE_STDS, clip, decode
from hrnet_tf.tasks.detection.pooling import Pooler
from hrnet_tf.tasks.detection.proposals import proposals

CHUNK = 256  # regions that go through the heads at once, which limits their memory
MAPS = ("P2", "P3", "P4", "P5")  # which regions are pooled from
SEMANTIC = "semantic"  # HTC's further map


class Parts(Protocol):
    """A detector with regions in the parts between which boxes are selected.

    Boxes are (N, 4) x1, y1, x2, y2 in pixels of the padded image, of which N is at least 1.
    """

    def image(self, pixels: np.ndarray) -> Mapping[str, Any]:
        """The RPN's maps (h, w, C) of an image (1, H, W, 3), and all that the other parts need."""

    def boxes(self, maps: Mapping, boxes: np.ndarray, stage: int) -> tuple[np.ndarray, np.ndarray]:
        """Logits of the classes (N, C + 1) and deltas (N, 4 or 4 * C) by a stage's head, from 1."""

    def masks(self, maps: Mapping, boxes: np.ndarray) -> list[np.ndarray]:
        """Logits of the masks by each stage's head, (N, M, M, C)."""


class Regions:
    """Runs a detector with regions, as a `Finder`."""

    def __init__(self, parts: Parts, card: DetectionCard):
        self.seconds = 0.0
        self._parts, self._card = parts, card
        self._maps = None  # of the last image, for its masks

    def candidates(self, image, threshold, classes):
        """See `Finder`."""
        self._maps = None  # frees the memory of the image before
        self._maps = self._timed(self._parts.image, image.pixels[None])
        boxes, logits, deltas = self._boxes(image.size)
        logits = logits - logits.max(axis=1, keepdims=True)
        scores = np.exp(logits)
        scores = (scores / scores.sum(axis=1, keepdims=True))[:, :-1]
        wanted = np.arange(scores.shape[1]) if classes is None else classes
        rows, columns = np.nonzero(scores[:, wanted] > threshold)
        columns = wanted[columns]
        deltas = deltas.reshape(len(deltas), -1, 4)
        deltas = deltas[rows, columns if deltas.shape[1] > 1 else 0]
        boxes = self._moved(boxes[rows], deltas, self._card.stages, image.size)
        return Candidates(boxes, scores[rows, columns], columns)

    def masks(self, boxes, classes):
        """See `Finder`."""
        found, rows = self._timed(self._parts.masks, self._maps, boxes), np.arange(len(boxes))
        if self._card.mask_stages == "last":
            found = found[-1:]
        chosen = (finite("mask_logits", each[rows, :, :, classes]) for each in found)
        return sum(map(sigmoid, chosen)) / len(found)

    def _boxes(self, size):
        """Regions (N, 4) of the last stage, the mean logits of all stages, the last deltas."""
        card, total = self._card, 0
        maps = [
            [
                finite(f"{kind}_P{level}", _array(self._maps[f"{kind}_P{level}"]))
                for kind in ("objectness", "anchor_deltas")
            ]
            for level in card.levels
        ]
        boxes, _ = proposals(maps, size, card.geometry)
        if not len(boxes):
            count = len(card.classes)
            return boxes, np.zeros((0, count + 1), np.float32), np.zeros((0, 4), np.float32)
        for stage in range(1, card.stages + 1):
            logits, deltas = self._timed(self._parts.boxes, self._maps, boxes, stage)
            total = total + finite(f"class_logits_{stage}", logits)
            deltas = finite(f"box_deltas_{stage}", deltas)
            if stage < card.stages:
                boxes = self._moved(boxes, deltas, stage, size)
        return boxes, total / card.stages, deltas

    def _moved(self, boxes, deltas, stage, size):
        geometry = self._card.geometry
        return clip(decode(boxes, deltas, STAGE_STDS[stage - 1], geometry), size, geometry)

    def _timed(self, function, *arguments):
        start = time.perf_counter()
        found = function(*arguments)
        self.seconds += time.perf_counter() - start
        return found


class SplitModel:
    """The `Parts` of a Keras model of `hrnet_tf.detection`, each compiled once for all sizes."""

    def __init__(self, model: keras.Model, geometry: str):
        parts = split(model)
        ratio = 2 if geometry == "inclusive" else 0
        self._pool = Pooler(STRIDES, geometry, ratio)
        self._pool_semantic = Pooler([STRIDE], geometry, ratio)
        (shape,) = input_shapes(parts.image).values()
        self._image = compiled(lambda x: parts.image(x, training=False), (None, *shape))
        self._boxes = [_compiled(each) for each in parts.boxes]
        self._masks = parts.masks and _compiled(parts.masks)

    def image(self, pixels):
        """See `Parts`; the maps stay on the device, without the batch axis."""
        return {name: x[0] for name, x in self._image(pixels).items()}

    def boxes(self, maps, boxes, stage):
        """See `Parts`."""
        found = self._run(self._boxes[stage - 1], maps, boxes, BOX_SIZE)
        return found[f"class_logits_{stage}"], found[f"box_deltas_{stage}"]

    def masks(self, maps, boxes):
        """See `Parts`."""
        found = self._run(self._masks, maps, boxes, MASK_SIZE)
        return [found[f"mask_logits_{stage}"] for stage in range(1, len(found) + 1)]

    def _run(self, head, maps, boxes, size):
        """Outputs of a head for all boxes, of which `CHUNK` at a time are pooled."""
        parts, count = [], len(boxes)
        if keras.backend.backend() != "tensorflow":  # others compile anew for every number
            boxes = np.pad(boxes, ((0, -count % CHUNK), (0, 0)))
        for start in range(0, len(boxes), CHUNK):
            some = np.float32(boxes[start : start + CHUNK])
            regions = [self._pool([maps[name] for name in MAPS], some, size)]
            if SEMANTIC in maps:
                regions.append(self._pool_semantic([maps[SEMANTIC]], some, MASK_SIZE))
            parts.append({name: _array(x) for name, x in head(*regions).items()})
        return {name: np.concatenate([each[name] for each in parts])[:count] for name in parts[0]}


def _compiled(head):
    """A head as a compiled function of regions (N, M, M, C) and, in HTC, of semantic ones."""
    shapes = input_shapes(head)
    names = [name for name in ("regions", SEMANTIC) if len(shapes) == 1 or name in shapes]

    def call(*tensors):
        return head(dict(zip(names, tensors, strict=False)), training=False)

    return compiled(call, *((None, *shape) for shape in shapes.values()))


def parts(network, card: DetectionCard) -> Parts:
    """The parts of a network; raises ValueError if it is none of this package's detectors."""
    model = getattr(network, "model", None)
    if model is None:
        raise ValueError(
            f"`model` must be a Keras model of `hrnet_tf.detection`, as its boxes are chosen "
            f"between its parts. Received: a {type(network).__name__} for a {card.head}. "
            "Convert it in two parts, or take the .keras file."
        )
    return SplitModel(model, card.geometry)


def _array(x):
    return x if isinstance(x, np.ndarray) else ops.convert_to_numpy(x)
