"""Losses of classification networks."""

import keras
from keras import ops

from hrnet_tf.training.classification.recipe import ClassificationRecipe


@keras.saving.register_keras_serializable(package="hrnet_tf")
class CrossEntropy(keras.losses.Loss):
    """Cross-entropy of logits (B, C) and numbers of classes (B,), as in PyTorch.

    Args:
        label_smoothing: share of each target that is spread over all classes.
    """

    def __init__(
        self,
        label_smoothing: float = 0.0,
        reduction="sum_over_batch_size",
        name="cross_entropy",
        dtype="float32",
    ):
        super().__init__(name=name, reduction=reduction, dtype=dtype)
        self.label_smoothing = label_smoothing

    def __call__(self, y_true, y_pred, sample_weight=None):
        """The loss; numbers of classes above 256 would not survive a cast to half precision."""
        y_true = ops.cast(y_true, "float32")
        return super().__call__(y_true, y_pred, sample_weight)

    def call(self, y_true, y_pred):
        """Losses (B,)."""
        logs = ops.log_softmax(ops.cast(y_pred, "float32"))
        targets = ops.one_hot(ops.cast(y_true, "int32"), logs.shape[-1])
        smoothing = self.label_smoothing
        targets = (1 - smoothing) * targets + smoothing / logs.shape[-1]
        return -ops.sum(targets * logs, axis=-1)

    def get_config(self):
        return super().get_config() | {"label_smoothing": self.label_smoothing}


class Divergence(keras.losses.Loss):
    """Kullback-Leibler divergence between the classes that two logits (B, C) give."""

    def __init__(self):
        super().__init__(name="divergence", dtype="float32")

    def call(self, y_true, y_pred):
        """Divergences (B,)."""
        wanted, found = ops.log_softmax(y_true), ops.log_softmax(y_pred)
        return ops.sum(ops.exp(wanted) * (wanted - found), axis=-1)


def loss(recipe: ClassificationRecipe) -> CrossEntropy:
    """The loss of a recipe."""
    return CrossEntropy(recipe.label_smoothing)
