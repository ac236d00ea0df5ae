"""Detections that are made and not found: a predictor with given answers, and results of boxes."""

import keras
import numpy as np
from pycocotools import mask as coco_mask
from scipy.ndimage import find_objects, label

from hrnet_tf.cards.detection import DetectionCard
from hrnet_tf.cards.files import save_model
from hrnet_tf.tasks.detection.detections import Detections, no_detections
from hrnet_tf.tasks.streaming import Timings


class MadePredictor:
    """A `Predictor` that answers `find(key, image)`; None is an image without objects."""

    def __init__(self, find, card=None, masks=False):
        self.card, self.timings = card or DetectionCard(), Timings()
        self.score_threshold, self.most = self.card.score_threshold, self.card.most
        self._find, self._masks = find, masks

    def __call__(self, image, boxes=None):
        return self._find(None, image) or no_detections(self._masks)

    def stream(self, items):
        for key, image, *_ in items:
            yield key, image, self._find(key, image) or no_detections(self._masks)


def made(boxes, classes=None, scores=None, size=None):
    """`Detections` of boxes x, y, width, height; with `size` (height, width) also box masks."""
    boxes = np.array(boxes, np.float32).reshape(-1, 4)
    classes = np.zeros(len(boxes), np.int64) if classes is None else np.array(classes, np.int64)
    scores = np.linspace(0.9, 0.5, len(boxes)) if scores is None else np.array(scores)
    masks = size and tuple(box_mask(box, size) for box in boxes)
    return Detections(boxes, scores.astype(np.float32), classes, masks)


def box_mask(box, size):
    """The run-length encoding of a filled box in an image of this height and width."""
    x, y, width, height = (round(float(v)) for v in box)
    inside = np.zeros(size, np.uint8)
    inside[max(y, 0) : y + height, max(x, 0) : x + width] = 1
    return coco_mask.encode(np.asfortranarray(inside))


def annotated(content, card, masks=True):
    """Annotations of a parsed COCO file as a predictor's answer: image id -> `Detections`."""
    classes = {each: index for index, each in enumerate(card.category_ids)}
    sizes = {each["id"]: (each["height"], each["width"]) for each in content["images"]}
    found = {}
    for each in content["annotations"]:
        if not each["iscrowd"]:
            found.setdefault(each["image_id"], []).append(each)
    return {
        key: Detections(
            np.array([each["bbox"] for each in all_], np.float32),
            np.full(len(all_), 0.9, np.float32),
            np.array([classes[each["category_id"]] for each in all_]),
            tuple(_encoded(each["segmentation"], sizes[key]) for each in all_) if masks else None,
        )
        for key, all_ in found.items()
    }


def _encoded(polygons, size):
    return coco_mask.merge(coco_mask.frPyObjects(polygons, *size))


def bright(key, image):
    """Finds the bright things of a dark image: class 0 if white, else 2; scores by their size."""
    labels, count = label(image.max(axis=-1) > 100)
    boxes, classes, scores = [], [], []
    for number, (rows, columns) in enumerate(find_objects(labels), 1):
        size = rows.stop - rows.start, columns.stop - columns.start
        boxes.append([columns.start, rows.start, size[1], size[0]])
        classes.append(0 if image[labels == number].min() > 100 else 2)
        scores.append(min(0.95, 0.1 + (labels == number).sum() / 400))
    order = np.argsort(scores)[::-1]
    return made(boxes, classes, scores, image.shape[:2]).chosen(order) if count else None


def save_detector(path, card=None):
    """Writes a network that has a detector's outputs, and its card; what it finds has no sense."""
    card = card or DetectionCard()
    image = keras.Input((None, None, 3), name="image")
    levels, x = {}, image
    for level in range(1, 8):
        x = keras.layers.AveragePooling2D(2, padding="same")(x)
        levels[f"P{level}"] = x
    outputs = {
        name: keras.layers.Conv2D(shape[-1], 1, name=name)(levels[name.rsplit("_", 1)[-1]])
        for name, shape in card.outputs().items()
    }
    save_model(keras.Model({"image": image}, outputs), card, path)
    return path
