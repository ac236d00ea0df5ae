"""`PosePredictor` as one graph: from pictures and boxes to keypoints."""

import numpy as np
import tensorflow as tf

from hrnet_tf.cards.codecs import merge_flipped
from hrnet_tf.cards.pose import PoseCard
from hrnet_tf.tasks import pipelines
from hrnet_tf.tasks.pose import geometry
from hrnet_tf.tasks.pose.options import PoseOptions
from hrnet_tf.tasks.pose.predictor import SEEN

BOXES = tf.TensorSpec((None, 4), tf.float32)


def pipeline(network, card: PoseCard, options: PoseOptions, size) -> pipelines.Pipeline:
    """The pipeline of a network; all people of a call are one batch.

    Args:
        network: tensors by name -> tensors by name.
        card: what its outputs mean.
        options: `codec`, `blur_kernel` and `flip` count.
        size: (height, width) of the crops.

    Returns:
        Signatures of one picture with boxes, and "whole…" of a batch of pictures that show a
        person each. They return boxes (N, 4), keypoints (N, K, 2), keypoint_scores (N, K) and
        scores (N,), as of `Pose`; a box that the predictor leaves out is left out.
    """
    card = card.with_codec(options.codec, options.blur_kernel)

    def crop(image, boxes):
        regions = geometry.center_scale(boxes, size[1] / size[0], card.padding)
        matrices = geometry.affine(*regions, size, aligned=card.codec.aligned)
        crops = geometry.crop(image, matrices, size)
        return tf.ensure_shape(crops, (None, *size, 3)), matrices

    def whole(image):
        """The crop of the whole picture, its matrix and its box."""
        height, width, _ = tf.unstack(tf.cast(tf.shape(image), tf.float32))
        box = tf.stack([0.0, 0.0, width, height])
        crops, matrices = crop(image, box[None])
        return crops[0], matrices[0], box

    def found(crops, matrices, boxes):
        keypoints, peaks = _decoded(network, card, options.flip, card.normalize(crops))
        keypoints = geometry.transform(keypoints, geometry.invert(matrices))
        found = {"boxes": boxes, "keypoints": keypoints, "keypoint_scores": peaks}
        return {**found, "scores": _score(peaks)}

    def people(image, boxes):
        boxes = _usable(boxes, image)
        # A batch must not be empty: a network's convolutions then return too many channels.
        count = tf.shape(boxes)[0]
        padded = tf.concat([boxes, tf.ones((tf.cast(count == 0, tf.int32), 4))], 0)
        return {name: x[:count] for name, x in found(*crop(image, padded), padded).items()}

    batches = pipelines.of_batches(whole, lambda cut: found(*cut))
    signatures = pipelines.of_pictures(people, boxes=BOXES)
    signatures["whole"], signatures["whole_pixels"] = batches.values()
    return pipelines.Pipeline(signatures, _arrays)


def _decoded(network, card, flip, crops):
    """Keypoints (N, K, 2) in pixels of the crops, and the scores (N, K)."""
    maps = _heatmaps(network, crops)
    pairs = card.keypoints.flip_pairs
    if flip and pairs:
        mirrored = _heatmaps(network, crops[:, :, ::-1])
        maps = merge_flipped(maps, mirrored, pairs, card.codec)
    return card.codec.decode(maps)


def _heatmaps(network, crops):
    return pipelines.finite(network({"image": crops})["heatmaps"], "heat maps")


def _score(peaks):
    """`predictor.rescore` of boxes with a score of 1."""
    peaks = tf.cast(peaks, tf.float64)
    seen = tf.cast(peaks > SEEN, tf.float64)
    total, count = tf.reduce_sum(seen * peaks, -1), tf.reduce_sum(seen, -1)
    return tf.cast(total / tf.maximum(count, 1), tf.float32)


def _usable(boxes, image):
    """The boxes that are finite, have an area and overlap the picture."""
    size = tf.cast(tf.shape(image)[1::-1], tf.float32)
    corner, sides = boxes[:, :2], boxes[:, 2:]
    good = tf.math.is_finite(boxes)
    good &= tf.concat([(corner < size) & (corner + sides > 0), sides > 0], 1)
    return tf.boolean_mask(boxes, tf.reduce_all(good, 1))


def _arrays(poses):
    """The arrays that the pipeline returns for these poses."""
    names = {"boxes": "box", "keypoints": "keypoints", "keypoint_scores": "scores"}
    found = {name: np.array([getattr(pose, own) for pose in poses]) for name, own in names.items()}
    return found | {"scores": np.array([pose.score for pose in poses])}
