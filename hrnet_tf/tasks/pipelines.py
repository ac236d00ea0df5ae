"""What whole pipelines in TensorFlow's graph share: signatures, and logits of any scores."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from hrnet_tf.cards.scores import TINY
from hrnet_tf.media.graph.decode import decode

Tensors = Mapping[str, tf.Tensor]
BYTES, PIXELS = tf.TensorSpec((), tf.string), tf.TensorSpec((None, None, 3), tf.uint8)


@dataclass(frozen=True)
class Pipeline:
    """A predictor as functions of TensorFlow.

    Attributes:
        signatures: functions by name, each of tensors by name to tensors by name. "pixels" takes
            `image` and computes what a call of the predictor returns.
        arrays: (result of the predictor) -> the arrays that "pixels" returns for the same image.
    """

    signatures: dict[str, tf.types.experimental.PolymorphicFunction]
    arrays: Callable[[object], dict[str, np.ndarray]]


def of_pictures(function: Callable[..., Tensors], **more: tf.TensorSpec) -> dict:
    """The signatures of a function of one picture (H, W, 3) uint8, encoded or not.

    Args:
        function: of `image` and the tensors of `more`.
        more: further inputs.
    """

    def encoded(image_bytes, **given):
        return function(image=decode(image_bytes), **given)

    return {
        "serving_default": signature(encoded, image_bytes=BYTES, **more),
        "pixels": signature(function, image=PIXELS, **more),
    }


def of_batches(crop: Callable[[tf.Tensor], object], function: Callable[..., Tensors]) -> dict:
    """The signatures of a function of crops, of a batch of pictures each.

    Args:
        crop: of a picture (H, W, 3) uint8 to a tensor, or a tuple of them, of known shape and type.
        function: of what `crop` returns, stacked.
    """
    traced = tf.function(crop, autograph=False).get_concrete_function(PIXELS)
    spec = tf.nest.map_structure(
        lambda x: tf.TensorSpec(x.shape, x.dtype), traced.structured_outputs
    )

    def batch(image):
        return function(tf.map_fn(crop, image, fn_output_signature=spec))

    def encoded(image_bytes):
        cut = tf.map_fn(lambda each: crop(decode(each)), image_bytes, fn_output_signature=spec)
        return function(cut)

    strings = tf.TensorSpec((None,), tf.string)
    images = tf.TensorSpec((None, *PIXELS.shape), tf.uint8)
    return {
        "serving_default": signature(encoded, image_bytes=strings),
        "pixels": signature(batch, image=images),
    }


def signature(function: Callable[..., Tensors], **specs: tf.TensorSpec):
    """A `tf.function` whose parameters have these names, shapes and types."""
    names = [*specs]

    def call(*tensors):
        return function(**dict(zip(names, tensors, strict=True)))

    named = [tf.TensorSpec(x.shape, x.dtype, name) for name, x in specs.items()]
    return tf.function(call, autograph=False, input_signature=named)


def finite(x: tf.Tensor, name: str) -> tf.Tensor:
    """The tensor; an error at run time if a number is not finite."""
    return tf.debugging.check_numerics(tf.cast(x, tf.float32), f"of the network's {name}")


def logits_of(numbers: tf.Tensor, scores: str, one_channel: bool) -> tf.Tensor:
    """`cards.scores.logits_of` of tensors."""
    numbers = tf.cast(numbers, tf.float32)
    if scores != "logits":
        sure = tf.clip_by_value(tf.cast(numbers, tf.float64), TINY, 1 - TINY)
        logits = tf.math.log(sure)
        numbers = logits - tf.math.log1p(-sure) if scores == "sigmoid" else logits
    numbers = tf.cast(numbers, tf.float32)
    return tf.concat([tf.zeros_like(numbers), numbers], -1) if one_channel else numbers
