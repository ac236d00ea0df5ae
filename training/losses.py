"""Losses on heat maps."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="hrnet_tf")
class JointMSE(keras.losses.Loss):
    """Half the squared error, averaged over joints, pixels and persons (`lib/core/loss.py`).

    Heat maps are `(B, h, w, K)`. A target weight per joint goes into `fit` as `sample_weight` of
    shape `(B, 1, 1, K)`. The original weighs prediction and target before the square, so what is
    given here is the square of its weight. Float32 in every dtype policy.
    """

    def __init__(self, reduction="sum_over_batch_size", name="joint_mse", dtype="float32"):
        super().__init__(name=name, reduction=reduction, dtype=dtype)

    def call(self, y_true, y_pred):
        # Unreduced: a mean over joints here would come before their weights.
        return 0.5 * ops.square(y_pred - y_true)
