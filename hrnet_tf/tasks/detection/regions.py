"""Runs detectors with regions: maps of the image, proposals, and heads of boxes and masks."""

import time
from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

import keras
import numpy as np

from hrnet_tf.cards.detection import DetectionCard
from hrnet_tf.networks.detection import BOX_SIZE, MASK_SIZE, STRIDES, split
from hrnet_tf.networks.heads.semantic import STRIDE
from hrnet_tf.runtime.keras_model import KerasNetwork
from hrnet_tf.runtime.network import Divided, Network
from hrnet_tf.tasks.detection.arrays import sigmoid
from hrnet_tf.tasks.detection.candidates import Candidates, finite
from hrnet_tf.tasks.detection.deltas import STAGE_STDS, clip, decode
from hrnet_tf.tasks.detection.pooling import pool
from hrnet_tf.tasks.detection.proposals import proposals

CHUNK = 512  # regions that go through the heads at once, which limits their memory
MAPS = ("P2", "P3", "P4", "P5")  # which regions are pooled from
SEMANTIC = "semantic"  # HTC's further map


@runtime_checkable
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
        deltas = deltas.reshape(len(deltas), deltas.shape[1] // 4, 4)
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
                finite(f"{kind}_P{level}", self._maps[f"{kind}_P{level}"])
                for kind in ("objectness", "anchor_deltas")
            ]
            for level in card.levels
        ]
        boxes, _ = proposals(maps, size, card.geometry, most=card.proposals)
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


class Networks:
    """The `Parts` of a detector whose parts are a `Network` each.

    Args:
        networks: by name "image", "boxes_1", … and for masks "masks", as of `divided`.
        geometry: of the boxes.
    """

    def __init__(self, networks: Mapping[str, Network], geometry: str):
        self._networks, self._geometry = networks, geometry

    def image(self, pixels):
        """See `Parts`."""
        return {name: x[0] for name, x in self._networks["image"]({"image": pixels}).items()}

    def boxes(self, maps, boxes, stage):
        """See `Parts`."""
        found = self._run(f"boxes_{stage}", maps, boxes, BOX_SIZE)
        return found[f"class_logits_{stage}"], found[f"box_deltas_{stage}"]

    def masks(self, maps, boxes):
        """See `Parts`."""
        found = self._run("masks", maps, boxes, MASK_SIZE)
        return [found[f"mask_logits_{stage}"] for stage in range(1, len(found) + 1)]

    def _run(self, name, maps, boxes, size):
        """Outputs of a part for all boxes, of which `CHUNK` at a time are pooled."""
        network, found, count = self._networks[name], [], len(boxes)
        if keras.backend.backend() != "tensorflow":  # others compile anew for every number
            boxes = np.pad(boxes, ((0, -count % CHUNK), (0, 0)))
        finest = [maps[each] for each in MAPS]
        for start in range(0, len(boxes), CHUNK):
            some = np.float32(boxes[start : start + CHUNK])
            arrays = {"regions": pool(finest, some, size, STRIDES, self._geometry)}
            if SEMANTIC in network.inputs:
                semantic = [maps[SEMANTIC]]
                arrays[SEMANTIC] = pool(semantic, some, MASK_SIZE, [STRIDE], self._geometry)
            if len(network.inputs) == 1:  # which may have any name
                arrays = dict(zip(network.inputs, arrays.values(), strict=True))
            found.append(network(arrays))
        return {each: np.concatenate([x[each] for x in found])[:count] for each in found[0]}


def divided(model: keras.Model, card: DetectionCard) -> dict[str, keras.Model]:
    """The parts of a detector by name, those of `networks.detection.split`; empty for FCOS."""
    if not card.stages:
        return {}
    found = split(model)
    boxes = {f"boxes_{stage}": head for stage, head in enumerate(found.boxes, 1)}
    masks = {"masks": found.masks} if found.masks else {}
    return {"image": found.image, **boxes, **masks}


def parts(network: Network, card: DetectionCard) -> Parts:
    """The parts of a network; raises ValueError if it is none of this package's detectors."""
    if isinstance(network, Parts):
        return network
    if isinstance(network, Divided):
        return Networks(network.parts, card.geometry)
    model = getattr(network, "model", None)
    if model is None:
        raise ValueError(
            f"`model` must be a Keras model of `hrnet_tf.detection`, as its boxes are chosen "
            f"between its parts. Received: a {type(network).__name__} for a {card.head}. "
            "Convert it in its parts, or take the .keras file."
        )
    found = {
        name: KerasNetwork(part, network.frozen, network.precision)
        for name, part in divided(model, card).items()
    }
    return Networks(found, card.geometry)
