"""Losses on class maps (`lib/core/criterion.py` of HRNet-Semantic-Segmentation).

Logits are upsampled bilinearly to the classes' size first. Pixels of the class 255 do not count.
Losses are float32 in every dtype policy. Without a pixel that counts, a loss is 0; the original's
is NaN, or an error.
"""

import keras
import tensorflow as tf

from hrnet_tf.labels.label_values import IGNORED
from hrnet_tf.training.segmentation.recipe import LOSSES, SegmentationRecipe

FOCUS = 2.0  # exponent of the focal loss


@keras.saving.register_keras_serializable(package="hrnet_tf")
class PixelLoss(keras.losses.Loss):
    """Cross-entropy of each pixel, reduced in one of several ways.

    - "cross_entropy": the mean over pixels, weighted by the classes' weights.
    - "ohem": the plain mean over hard pixels of the weighted cross-entropy. Hard are those whose
      true class is less probable than `threshold`, or than the `kept + 1`-th least probable one
      (online hard example mining, Shrivastava et al. CVPR 2016; `OhemCrossEntropy`).
    - "sum": the sum divided by the number of all pixels, ignored ones too: what the original's
      training with OHEM makes of the auxiliary output.
    - "dice": "cross_entropy" plus 1 - the mean Dice coefficient of the classes that occur
      (Milletari et al. 3DV 2016).
    - "focal": the weighted mean of (1 - p)^2 times the cross-entropy (Lin et al. ICCV 2017).

    Args:
        kind: one of these.
        class_weights: weight of each class; all 1 if empty.
        align_corners: how logits are upsampled.
        threshold, kept: of "ohem"; `kept` counts pixels of the batch of a device.
        scale: factor of the loss.
        settings: name, reduction and dtype of any Keras loss.
    """

    def __init__(
        self,
        kind: str = LOSSES[0],
        class_weights: tuple[float, ...] = (),
        align_corners: bool = False,
        threshold: float = 0.9,
        kept: int = 131072,
        scale: float = 1.0,
        **settings,
    ):
        super().__init__(**{"name": "pixel_loss", "dtype": "float32", **settings})
        self.kind, self.class_weights, self.align_corners = kind, class_weights, align_corners
        self.threshold, self.kept, self.scale = threshold, kept, scale

    def __call__(self, y_true, y_pred, sample_weight=None):
        """The loss; pictures without a weight have no classes, so weights are not applied."""
        return super().__call__(y_true, y_pred)

    def call(self, y_true, y_pred):
        """Loss (1,) of classes (B, H, W) and logits (B, h, w, C)."""
        classes = tf.cast(y_true, tf.int32)
        logits = upsampled(tf.cast(y_pred, tf.float32), tf.shape(classes)[1:3], self.align_corners)
        valid = classes != IGNORED
        classes = tf.where(valid, classes, 0)
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(classes, logits)
        count = tf.cast(valid, tf.float32)
        weights = count
        if self.class_weights:
            weights = count * tf.gather(tf.constant(self.class_weights, tf.float32), classes)
        if self.kind == "ohem":
            hard = tf.cast(self._hard(losses, valid), tf.float32)
            loss = _mean(losses, weights * hard, hard)
        elif self.kind == "sum":
            loss = tf.reduce_mean(weights * losses)
        elif self.kind == "focal":
            easy = 1 - tf.exp(-losses)
            loss = _mean(easy**FOCUS * losses, weights, weights)
        else:
            loss = _mean(losses, weights, weights)
        if self.kind == "dice":
            loss += _dice(tf.nn.softmax(logits), classes, count)
        return self.scale * loss[None]

    def _hard(self, losses, valid):
        """Which pixels count."""
        share = tf.where(valid, tf.exp(-tf.stop_gradient(losses)), 2.0)
        number = tf.reduce_sum(tf.cast(valid, tf.int32))
        flat = tf.reshape(share, [-1])
        least = -tf.math.top_k(-flat, tf.minimum(self.kept + 1, tf.size(flat))).values
        place = tf.maximum(tf.minimum(self.kept, number - 1), 0)
        return valid & (share < tf.maximum(least[place], self.threshold))

    def get_config(self):
        names = ("kind", "class_weights", "align_corners", "threshold", "kept", "scale")
        return super().get_config() | {name: getattr(self, name) for name in names}


@keras.saving.register_keras_serializable(package="hrnet_tf")
class PixelDistance(keras.losses.Loss):
    """How far the classes' probabilities at each pixel are from those of another network.

    The Kullback-Leibler divergence from `y_true` to `y_pred`, both logits (B, h, w, C).
    """

    def __init__(self, reduction="sum_over_batch_size", name="pixel_distance", dtype="float32"):
        super().__init__(name=name, reduction=reduction, dtype=dtype)

    def call(self, y_true, y_pred):
        """Distances (B,)."""
        theirs, ours = (tf.nn.log_softmax(tf.cast(x, tf.float32)) for x in (y_true, y_pred))
        distances = tf.reduce_sum(tf.exp(theirs) * (theirs - ours), axis=-1)
        return tf.reduce_mean(distances, axis=(1, 2))


def upsampled(logits: tf.Tensor, size: tf.Tensor, align_corners: bool) -> tf.Tensor:
    """Logits (B, h, w, C) at (height, width), as `torch.nn.functional.interpolate` does it."""
    return tf.raw_ops.ResizeBilinear(
        images=logits, size=size, align_corners=align_corners, half_pixel_centers=not align_corners
    )


def _mean(losses, weights, divisors):
    return tf.math.divide_no_nan(tf.reduce_sum(weights * losses), tf.reduce_sum(divisors))


def _dice(shares, classes, count):
    """1 - the mean Dice coefficient of the classes that occur in the batch."""
    true = tf.one_hot(classes, shares.shape[-1]) * count[..., None]
    shares *= count[..., None]
    area, both = (tf.reduce_sum(each, axis=(0, 1, 2)) for each in (true, true * shares))
    overlap = 2 * both / tf.maximum(area + tf.reduce_sum(shares, axis=(0, 1, 2)), 1e-6)
    there = tf.cast(area > 0, tf.float32)
    return tf.math.divide_no_nan(tf.reduce_sum(there * (1 - overlap)), tf.reduce_sum(there))


def loss(recipe: SegmentationRecipe) -> keras.losses.Loss | dict[str, keras.losses.Loss]:
    """The loss of a recipe: of its output, or of OCR's two outputs by name."""
    settings = {"class_weights": recipe.class_weights, "align_corners": recipe.align_corners}
    hard = {"threshold": recipe.ohem_threshold, "kept": recipe.ohem_kept}
    main = PixelLoss(recipe.loss, **settings, **hard)
    if recipe.head != "ocr":
        return main
    kind = "sum" if recipe.loss == "ohem" else "cross_entropy"
    return {"aux": PixelLoss(kind, **settings, scale=recipe.aux_weight), "logits": main}


def distance(recipe: SegmentationRecipe) -> keras.losses.Loss:
    """The distance between the logits of two networks."""
    return PixelDistance()
