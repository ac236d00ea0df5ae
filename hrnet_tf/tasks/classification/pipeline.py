"""`ImageClassifier` as one graph: from pictures to the classes that they show."""

import numpy as np
import tensorflow as tf

from hrnet_tf.cards.classification import ClassificationCard
from hrnet_tf.media.graph import pillow
from hrnet_tf.tasks import pipelines
from hrnet_tf.tasks.classification.options import ClassificationOptions


def pipeline(
    network, card: ClassificationCard, options: ClassificationOptions, size
) -> pipelines.Pipeline:
    """The pipeline of a network.

    Args:
        network: tensors by name -> tensors by name.
        card: what its outputs mean.
        options: `top` counts.
        size: (height, width) of the crops.

    Returns:
        Signatures of a batch of N pictures. They return classes (N, top) int32, labels (N, top)
        string and probabilities (N, top), best first.
    """
    names, top = tf.constant(card.classes), min(options.top, len(card.classes))
    exclusive = card.scores != "sigmoid" or card.one_channel

    def found(crops):
        numbers = network({"image": card.normalize(crops)})["logits"]
        numbers = pipelines.finite(numbers, "logits")
        probabilities = numbers
        if exclusive:
            logits = pipelines.logits_of(numbers, card.scores, card.one_channel)
            probabilities = tf.nn.softmax(tf.cast(logits, tf.float64))
        probabilities, classes = tf.math.top_k(probabilities, top)
        return {
            "classes": classes,
            "labels": tf.gather(names, classes),
            "probabilities": tf.cast(probabilities, tf.float32),
        }

    signatures = pipelines.of_batches(lambda image: central_crop(image, size, card), found)
    return pipelines.Pipeline(signatures, _arrays)


def central_crop(image: tf.Tensor, size: tuple[int, int], card: ClassificationCard) -> tf.Tensor:
    """`predictor.central_crop` of a tensor (H, W, 3) uint8."""
    least = tf.constant([int(side / card.crop_fraction + 1e-6) for side in size])
    have = tf.shape(image)[:2]
    factor = tf.reduce_max(tf.cast(least, tf.float64) / tf.cast(have, tf.float64))
    sides = tf.cast(tf.cast(have, tf.float64) * factor + 1e-6, tf.int32)
    sides = tf.maximum(sides, least)
    corner = tf.cast(tf.round(tf.cast(sides - tf.constant(size), tf.float64) / 2), tf.int32)
    return pillow.resize(image, sides, corner, size, card.interpolation, exact=True)


def _arrays(predictions):
    """The arrays that the pipeline returns for these predictions of one picture."""
    classes, names, probabilities = zip(*predictions, strict=True)
    return {
        "classes": np.array([classes]),
        "labels": np.array([[name.encode() for name in names]]),
        "probabilities": np.array([probabilities]),
    }
