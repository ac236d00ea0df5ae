"""`DetectionPredictor` of FCOS as one graph: from a picture to boxes."""

import numpy as np
import tensorflow as tf

from hrnet_tf.cards.detection import DetectionCard
from hrnet_tf.media.graph.resize import resize_8bit
from hrnet_tf.tasks import pipelines
from hrnet_tf.tasks.detection import fcos
from hrnet_tf.tasks.detection.deltas import sides
from hrnet_tf.tasks.detection.nms import class_nms
from hrnet_tf.tasks.detection.options import DetectionOptions
from hrnet_tf.tasks.detection.points import KINDS


def pipeline(network, card: DetectionCard, options: DetectionOptions, size) -> pipelines.Pipeline:
    """The pipeline of a network.

    Args:
        network: tensors by name -> tensors by name.
        card: what its outputs mean.
        options: `score_threshold`, `classes` and `most` count.
        size: (height, width) of a network of fixed size; None for any size.

    Returns:
        Signatures of one picture. They return boxes (N, 4) x, y, width, height, scores (N,),
        classes (N,) int32 and labels (N,) string, best first.

    Raises:
        ValueError: the network finds regions in two stages.
    """
    if card.stages:
        raise ValueError(
            "Detectors of regions, such as Faster R-CNN, have no pipeline in one graph; FCOS has. "
            "Convert their parts by to_tflite.py or to_onnx.py."
        )
    names = tf.constant(card.classes)
    chosen = options.classes and np.array(sorted(map(card.classes.index, options.classes)))
    least = options.score_threshold
    threshold = card.score_threshold if least is None else min(least, card.score_threshold)

    def detected(image):
        pixels, inner, scale = prepare(image, card, size)
        maps = network({"image": pixels[None]})
        found = zip(*_levels(maps, card, inner, threshold, chosen), strict=True)
        boxes, scores, classes = (tf.concat(each, 0) for each in found)
        good = tf.reduce_all(sides(boxes, card.geometry) > 0, 1)
        if least is not None:
            good &= scores >= least
        boxes, scores, classes = (tf.boolean_mask(x, good) for x in (boxes, scores, classes))
        boxes = boxes / tf.tile(scale, [2])
        most = options.most or card.most
        kept = class_nms(boxes, scores, classes, card.nms, card.geometry, most)
        boxes, scores, classes = (tf.gather(x, kept) for x in (boxes, scores, classes))
        boxes = tf.concat([boxes[:, :2], sides(boxes, card.geometry)], 1)
        labels = tf.gather(names, classes)
        return {"boxes": boxes, "scores": scores, "classes": classes, "labels": labels}

    def arrays(found):
        labels = np.array([card.classes[i].encode() for i in found.classes], object)
        own = {name: getattr(found, name) for name in ("boxes", "scores", "classes")}
        return own | {"labels": labels}

    return pipelines.Pipeline(pipelines.of_pictures(detected), arrays)


def _levels(maps, card, size, threshold, chosen):
    """Boxes, scores and classes that each level finds, before NMS."""
    for level in card.levels:
        names = (f"{kind}_P{level}" for kind in KINDS)
        own = [pipelines.finite(maps[name], name)[0] for name in names]
        if chosen is not None:
            own[0] = tf.gather(own[0], chosen, axis=-1)
        found = fcos.candidates(own, 2**level, size, threshold, geometry=card.geometry)
        boxes, scores, classes = found
        classes = tf.cast(classes, tf.int32)
        yield boxes, scores, classes if chosen is None else tf.gather(np.int32(chosen), classes)


def prepare(image: tf.Tensor, card: DetectionCard, fixed: tuple[int, int] | None) -> tuple:
    """`prepare.prepare` of a tensor: pixels (H, W, C), the size in them, the scale for x and y."""
    original = tf.cast(tf.shape(image)[:2], tf.float64)
    longest, shortest = max(card.sides), min(card.sides)
    factor = tf.minimum(longest / tf.reduce_max(original), shortest / tf.reduce_min(original))
    if fixed:
        factor = tf.minimum(factor, tf.reduce_min(tf.constant(fixed, tf.float64) / original))
    size = tf.maximum(tf.cast(original * factor + 0.5, tf.int32), 1)
    whole = tf.maximum(-(-size // card.multiple) * card.multiple, card.padded)
    whole = tf.constant(fixed) if fixed else whole
    pixels = card.normalize(resize_8bit(image, size))
    height, width = tf.unstack(whole - size)
    pixels = tf.pad(pixels, ((0, height), (0, width), (0, 0)))
    pixels = tf.ensure_shape(pixels, (*(fixed or (None, None)), None))
    scale = tf.cast((tf.cast(size, tf.float64) / original)[::-1], tf.float32)
    if card.geometry == "inclusive":
        scale = tf.fill([2], tf.cast(factor, tf.float32))
    return pixels, tf.unstack(size), scale
