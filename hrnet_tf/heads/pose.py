"""Keypoint heat maps from the trunk."""

from hrnet_tf.blocks import conv


def heatmaps(x, num_keypoints):
    """The V1 head: one 1x1 convolution on the highest resolution, float32 in every dtype policy.

    `(B, h, w, C) -> (B, h, w, num_keypoints)`; `final_layer` of `lib/models/pose_hrnet.py`.
    """
    return conv(x, num_keypoints, 1, "final_layer", use_bias=True, dtype="float32")
