"""`SegmentationPredictor` as one graph: from a picture to its class map."""

import dataclasses
from functools import reduce

import numpy as np
import tensorflow as tf

from hrnet_tf.cards.segmentation import SegmentationCard
from hrnet_tf.media.graph.resize import resize
from hrnet_tf.tasks import pipelines
from hrnet_tf.tasks.segmentation.options import SegmentationOptions
from hrnet_tf.tasks.segmentation.predictor import BORDER, MULTIPLE, STRIP

STRIDE = 2 / 3  # between windows, as a share of their sides: the predictor's default


def pipeline(
    network, card: SegmentationCard, options: SegmentationOptions, size
) -> pipelines.Pipeline:
    """The pipeline of a network.

    Args:
        network: tensors by name -> tensors by name.
        card: what its outputs mean.
        options: `scales` and `flip` count.
        size: (height, width) of the windows of a network of fixed size; None for any size.

    Returns:
        Signatures of one picture. They return classes (H, W), uint8, or uint16 for more than 256.
    """
    maps = Maps(network, card, options.flip, size)
    dtype = tf.uint8 if len(card.classes) <= 256 else tf.uint16

    def segmented(image):
        height, found = tf.shape(image)[0], _scores(image, maps, options.scales)

        def strip(first):
            rows = tf.minimum(first + tf.range(STRIP), height - 1)
            whole = tf.shape(image)[:2]
            parts = [resize(each, whole, card.align_corners, rows) for each in found]
            return tf.cast(tf.argmax(reduce(tf.add, parts), -1), dtype)

        spec = tf.TensorSpec((STRIP, None), dtype)
        strips = tf.map_fn(strip, tf.range(0, height, STRIP), fn_output_signature=spec)
        return {"classes": tf.reshape(strips, (-1, tf.shape(image)[1]))[:height]}

    return pipelines.Pipeline(pipelines.of_pictures(segmented), lambda found: {"classes": found})


def _scores(image, maps, scales):
    """Scores of the picture at each scale; their sum, if it was resized before."""
    card = maps.card
    if card.resize not in ("both", "short_long"):
        return [maps.scaled(image, scale) for scale in scales]
    rule = "both" if card.resize == "both" else "short"
    first = dataclasses.replace(card, resize=rule)
    size = scaled_size(tf.shape(image)[:2], first, 1.0)
    small = tf.round(resize(image, size))
    sides = multiples(size, 1 if card.resize == "both" else BORDER)
    bordered = pad(small, sides, np.round(255 * np.float64(card.mean)))
    found = [maps.scaled(bordered, scale) for scale in scales]
    found = reduce(tf.add, [resize(each, sides, card.align_corners) for each in found])
    return [found[: size[0], : size[1]]]


@dataclasses.dataclass(frozen=True)
class Maps:
    """Score maps of pictures: exp(logits), as `SegmentationPredictor` computes them."""

    network: object
    card: SegmentationCard
    flip: bool
    fixed: tuple[int, int] | None

    def scaled(self, image, scale):
        """Scores (h, w, C) of the picture at one scale."""
        size = scaled_size(tf.shape(image)[:2], self.card, scale)
        image = tf.ensure_shape(self.card.normalize(resize(image, size)), (None, None, None))
        return self._slide(image) if self.fixed else self._score(image)

    def _slide(self, image):
        """Scores of a normalised picture, averaged over windows."""
        size, window = tf.shape(image)[:2], tf.constant(self.fixed)
        step = tf.constant([max(int(side * STRIDE + 1e-6), 1) for side in self.fixed])
        counts = tf.maximum(-(-(size - window) // step), 0) + 1
        whole = (counts - 1) * step + window
        with tf.init_scope():  # a constant, not a tensor of this graph
            black = np.asarray(self.card.normalize(np.zeros(3)))
        image = pad(image, whole, black)
        classes = len(self.card.classes)

        def add(number, scores, seen):
            y, x = (number // counts[1]) * step[0], (number % counts[1]) * step[1]
            tile = image[y : y + window[0], x : x + window[1]]
            found = self._score(tf.ensure_shape(tile, (*self.fixed, None)))
            found = tf.concat([found, tf.ones((*self.fixed, 1))], -1)
            around = whole - window - (y, x)
            found = tf.pad(found, ((y, around[0]), (x, around[1]), (0, 0)))
            return number + 1, scores + found[..., :-1], seen + found[..., -1:]

        zeros = (tf.zeros((whole[0], whole[1], each)) for each in (classes, 1))
        total = tf.reduce_prod(counts)
        shapes = (tf.TensorShape([]), *(tf.TensorShape([None, None, n]) for n in (classes, 1)))
        _, scores, seen = tf.while_loop(
            lambda number, *_: number < total, add, (0, *zeros), shapes, parallel_iterations=1
        )
        return (scores / seen)[: size[0], : size[1]]

    def _score(self, image):
        """exp(logits) of a normalised picture, (h, w, 3) -> (h, w, C)."""
        size = tf.shape(image)[:2]
        if not self.fixed:
            image = pad(image, multiples(size, MULTIPLE), np.zeros(1))
        logits = self._logits(image)
        if self.flip:
            mirrored = tf.gather(
                self._logits(image[:, ::-1])[:, ::-1], self.card.flip_index, axis=2
            )
            logits = (logits + mirrored) * 0.5
        scores = pipelines.finite(tf.exp(logits), "scores, exp(logits)")
        return scores[: size[0], : size[1]]

    def _logits(self, image):
        """Logits of a normalised picture at its size."""
        found = self.network({"image": image[None]})["logits"][0]
        logits = pipelines.logits_of(found, self.card.scores, self.card.one_channel)
        return resize(logits, tf.shape(image)[:2], self.card.align_corners)


def scaled_size(size: tf.Tensor, card: SegmentationCard, scale: float) -> tf.Tensor:
    """`sizes.scaled_size` of a tensor (2,) int32."""
    if card.resize == "both":
        return tf.fill([2], _rounded(tf.constant(card.base_size * scale, tf.float64)))
    known = tf.reduce_min(size) if card.resize == "short" else tf.reduce_max(size)
    sides, longest = tf.cast(size, tf.float64), tf.cast(known, tf.float64)
    base = longest if card.base_size is None else tf.constant(card.base_size, tf.float64)
    length = _rounded(base * scale)
    others = _rounded(sides * tf.cast(length, tf.float64) / longest)
    return tf.where(size == known, length, others)


def multiples(size: tf.Tensor, multiple: int) -> tf.Tensor:
    """`sizes.multiples` of a tensor."""
    return -(-size // multiple) * multiple


def pad(image: tf.Tensor, size: tf.Tensor, color: np.ndarray) -> tf.Tensor:
    """`sizes.pad` of a tensor."""
    height, width = tf.unstack(size - tf.shape(image)[:2])
    around = ((0, height), (0, width), (0, 0))
    inside = tf.pad(tf.ones_like(image[..., :1], tf.bool), around)
    return tf.where(inside, tf.pad(image, around), tf.constant(color, tf.float32))


def _rounded(length):
    return tf.maximum(tf.cast(length + 0.5, tf.int32), 1)
