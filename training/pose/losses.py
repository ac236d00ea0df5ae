"""Losses on heat maps.

Each keypoint has a weight, which `fit` gets as `sample_weight` of shape `(B, 1, 1, K)`. The
originals multiply prediction and target by a weight before the square; the weights here are the
squares of theirs. Losses are float32 in every dtype policy.
"""

import keras
from keras import ops

from hrnet_tf.training.pose.recipe import PoseRecipe


@keras.saving.register_keras_serializable(package="hrnet_tf")
class JointMSE(keras.losses.Loss):
    """Half the squared error, averaged over joints, pixels and persons (`lib/core/loss.py`).

    Heat maps are `(B, h, w, K)`.
    """

    def __init__(self, reduction="sum_over_batch_size", name="joint_mse", dtype="float32"):
        super().__init__(name=name, reduction=reduction, dtype=dtype)

    def call(self, y_true, y_pred):
        # Not reduced here: weights of joints must be applied before any mean over joints.
        return 0.5 * ops.square(y_pred - y_true)


@keras.saving.register_keras_serializable(package="hrnet_tf")
class HardKeypointMSE(keras.losses.Loss):
    """`JointMSE` of the worst keypoints of each person (`JointsOHKMMSELoss` in `lib/core/loss.py`).

    Online hard keypoint mining of Chen et al. CVPR 2018: the mean over persons of the mean of each
    person's `hardest` largest losses. Heat maps are `(B, h, w, K)`.

    Args:
        hardest: number of keypoints of a person that count.
    """

    def __init__(
        self,
        hardest: int = 8,
        reduction="sum_over_batch_size",
        name="hard_keypoint_mse",
        dtype="float32",
    ):
        super().__init__(name=name, reduction=reduction, dtype=dtype)
        self.hardest = hardest

    def __call__(self, y_true, y_pred, sample_weight=None):
        """The loss; weights are applied before the hardest keypoints are chosen."""
        y_true, y_pred = ops.cast(y_true, self.dtype), ops.cast(y_pred, self.dtype)
        if sample_weight is not None:
            weight = ops.sqrt(ops.cast(sample_weight, self.dtype))
            y_true, y_pred = weight * y_true, weight * y_pred
        return super().__call__(y_true, y_pred)

    def call(self, y_true, y_pred):
        """Losses (B,)."""
        losses = ops.mean(0.5 * ops.square(y_pred - y_true), axis=(1, 2))
        return ops.mean(ops.top_k(losses, self.hardest)[0], axis=-1)

    def get_config(self):
        return super().get_config() | {"hardest": self.hardest}


@keras.saving.register_keras_serializable(package="hrnet_tf")
class CombinedMSE(keras.losses.Loss):
    """Loss for the discs and offsets of `udp_combined` (mmpose's `CombinedTargetMSELoss`).

    Half the squared error of the disc, and of both offsets inside the disc, averaged over
    keypoints, pixels and persons. Heat maps are `(B, h, w, 3K)`: disc, x and y of each keypoint.
    """

    def __init__(self, reduction="sum_over_batch_size", name="combined_mse", dtype="float32"):
        super().__init__(name=name, reduction=reduction, dtype=dtype)

    def call(self, y_true, y_pred):
        """Losses (B, h, w, K), so that weights per keypoint fit."""
        _, height, width, channels = y_true.shape
        shape = (-1, height, width, channels // 3, 3)
        y_true, y_pred = ops.reshape(y_true, shape), ops.reshape(y_pred, shape)
        disc = y_true[..., :1]
        inside = ops.concatenate([ops.ones_like(disc), disc, disc], axis=-1)
        return 0.5 * ops.sum(ops.square(inside * (y_pred - y_true)), axis=-1)


def loss(recipe: PoseRecipe) -> keras.losses.Loss:
    """The loss of a recipe.

    Raises:
        ValueError: its codec has no loss, or `hard_keypoints` exceeds the number of keypoints.
    """
    maps, count = len(recipe.codec.mirror_signs), len(recipe.keypoints.names)
    if recipe.hard_keypoints and (maps > 1 or recipe.hard_keypoints > count):
        raise ValueError(
            f"`hard_keypoints` must be at most the {count} of {recipe.keypoints.name}, and its "
            f"codec must have one map for each. Received: hard_keypoints={recipe.hard_keypoints}, "
            f"codec={recipe.codec.name!r}. Leave it 0, or use msra, dark or udp."
        )
    if maps == 3:
        return CombinedMSE()
    return HardKeypointMSE(recipe.hard_keypoints) if recipe.hard_keypoints else JointMSE()
