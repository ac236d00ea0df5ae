"""Image classification networks."""

import keras

from hrnet_tf.networks.checks import Arch, check_count, hrnet_only
from hrnet_tf.networks.heads.classification import classify
from hrnet_tf.networks.trunk import network_name, trunk


def classification(
    arch: Arch,
    num_classes: int = 1000,
    input_shape: tuple = (224, 224, 3),
    use_bias: bool = True,
) -> keras.Model:
    """Image classification network HRNetV2-C (`cls_hrnet.py` of the original repository).

    Args:
        arch: an HRNet's name or spec.
        num_classes: length of the logits.
        input_shape: (height, width, channels); height and width are multiples of 32, or None.
        use_bias: False for the `ssld` weights, whose head has no bias before a normalization.

    Returns:
        A model `(B, H, W, C) -> (B, num_classes)`: logits, float32 in every dtype policy.

    Raises:
        ValueError: an unknown name, a shape the network cannot take, `num_classes` below one.
    """
    check_count("num_classes", num_classes, "ImageNet has 1000.")
    hrnet_only(arch, "classification")
    image, xs = trunk(arch, input_shape, 4)
    logits = classify(xs, num_classes, use_bias)
    return keras.Model(image, logits, name=network_name(arch, "classification"))
