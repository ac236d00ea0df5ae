"""Pictures of training: true objects, and those that the network finds."""

import numpy as np
from pycocotools import mask as coco_mask

from hrnet_tf.cards.detection import DetectionCard
from hrnet_tf.tasks.detection import fcos
from hrnet_tf.tasks.detection.detections import Detections
from hrnet_tf.tasks.detection.draw import draw_detections
from hrnet_tf.tasks.detection.nms import class_nms

SHOWN = 0.2  # objects with a lower score are not drawn


def panels(card: DetectionCard, inputs, targets, outputs) -> list[np.ndarray]:
    """For each image a picture of its objects and, of FCOS, of what the network finds beside it.

    Args:
        card: the network's card.
        inputs: images (B, H, W, 3), normalised, or a dict with "image".
        targets: of `batches`.
        outputs: of the network.
    """
    images = inputs["image"] if isinstance(inputs, dict) else inputs
    pictures = []
    for row, image in enumerate(card.denormalize(images)):
        own = {name: np.asarray(each[row]) for name, each in targets.items()}
        parts = [drawn(image, objects_of(own), card)]
        if not card.stages:
            parts.append(drawn(image, _found(card, own["size"], outputs, row), card))
        pictures.append(np.concatenate(parts, axis=1))
    return pictures


def drawn(image: np.ndarray, found: Detections, card: DetectionCard) -> np.ndarray:
    """An image (H, W, 3) with objects, of the same size."""
    return np.asarray(draw_detections(image, found, card.classes, SHOWN, explain=False))


def objects_of(targets: dict) -> Detections:
    """The objects of one image of a batch, as if a network had found them."""
    boxes = targets["objects"]
    there = boxes[:, 2] > boxes[:, 0]
    sides = np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], axis=1)[there]
    classes, masks = targets["classes"][there].astype(np.int64), None
    if "masks" in targets:
        bits = np.unpackbits(targets["masks"][there], axis=-1)
        masks = [coco_mask.encode(np.asfortranarray(each)) for each in bits]
    return Detections(sides.astype(np.float32), np.ones(len(sides), np.float32), classes, masks)


def _found(card, size, outputs, row) -> Detections:
    found = []
    for level in card.levels:
        names = (f"{kind}_P{level}" for kind in ("class_logits", "log_distances", "centerness"))
        maps = tuple(np.asarray(outputs[name][row]) for name in names)
        found.append(fcos.candidates(maps, 2**level, tuple(size.tolist()), card.score_threshold))
    boxes, scores, classes = (np.concatenate(each) for each in zip(*found, strict=True))
    kept = class_nms(boxes, scores, classes, card.nms, most=card.most)
    boxes = np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], axis=1)
    good = kept[(boxes[kept, 2:] > 0).all(axis=1)]
    classes = classes[good].astype(np.int64)
    return Detections(np.float32(boxes[good]), np.float32(scores[good]), classes, None)
