"""Keypoint networks."""

import keras

from hrnet_tf.names import check_choice
from hrnet_tf.networks.blocks import bilinear, conv
from hrnet_tf.networks.checks import Arch, check_count, spec_of
from hrnet_tf.networks.heads.concat import concatenate, conv_bn_conv
from hrnet_tf.networks.specs import LiteHRNetSpec
from hrnet_tf.networks.trunk import network_name, trunk


def pose(
    arch: Arch,
    input_shape: tuple = (256, 192, 3),
    num_keypoints: int = 17,
    head: str = "v1",
) -> keras.Model:
    """Keypoint network: a normalised crop of one person, hand or face to one heat map per keypoint.

    HRNetV1 of Sun et al. CVPR 2019 (`lib/models/pose_hrnet.py`), Lite-HRNet of Yu et al. CVPR 2021,
    and HRNetV2 for landmarks of Wang et al. TPAMI 2020.

    Args:
        arch: a name from `hrnet_tf.SPECS` ("w32", "lite18", …) or a spec.
        input_shape: (height, width, channels); height and width are multiples of 32, or None in an
            HRNet.
        num_keypoints: number of heat maps; for a codec with offsets, `codec.channels(K)`.
        head: "v1" reads the stream of the highest resolution. "v2" is the head of the landmark and
            hand networks and reads all streams; its trunk upsamples bilinearly, as their published
            weights require.

    Returns:
        A model `(B, H, W, C) -> (B, H/4, W/4, num_keypoints)` with random weights. The output is
        float32 in every dtype policy.

    Raises:
        ValueError: an unknown name, a shape the network cannot take, `num_keypoints` below one.
    """
    check_count("num_keypoints", num_keypoints, "COCO has 17.")
    check_choice("head", head, ("v1", "v2"))
    if isinstance(spec_of(arch), LiteHRNetSpec) and head != "v1":
        raise ValueError(
            "Lite-HRNet has its own way to all resolutions: use head='v1'. "
            f"Received: arch={arch!r}, head={head!r}."
        )
    if head == "v1":
        image, xs = trunk(arch, input_shape, 1)
        heatmaps = conv(xs[0], num_keypoints, 1, "final_layer", use_bias=True, dtype="float32")
    else:
        image, xs = trunk(arch, input_shape, 4, bilinear)
        heatmaps = conv_bn_conv(concatenate(xs, bilinear), num_keypoints, "head")
    return keras.Model(image, heatmaps, name=network_name(arch, "pose"))
