"""Feature extractors: the trunk alone, and the trunk with a feature pyramid."""

import keras

from hrnet_tf.names import check_choice
from hrnet_tf.networks.checks import MULTIPLE, Arch, check_count, hrnet_only, spec_of
from hrnet_tf.networks.heads.classification import increase
from hrnet_tf.networks.heads.pyramid import POOLING, pyramid
from hrnet_tf.networks.specs import LiteHRNetSpec
from hrnet_tf.networks.trunk import network_name, trunk


def backbone(
    arch: Arch,
    input_shape: tuple = (256, 256, 3),
    features: str = "raw",
    stem: bool = False,
) -> keras.Model:
    """The trunk alone, as a feature extractor.

    Args:
        arch: a name from `hrnet_tf.SPECS` or a spec.
        input_shape: (height, width, channels); height and width are multiples of 32, or None in an
            HRNet.
        features: "raw" streams, or "increased" to 128, 256, 512, 1024 channels by the blocks that
            classification weights have.
        stem: also return "P1", the first map of the stem, with 64 channels at stride 2.

    Returns:
        A model from `(B, H, W, C)` to `{"P2": …, "P3": …, "P4": …, "P5": …}`, maps at strides 4, 8,
        16, 32. An HRNet's have `width * (1, 2, 4, 8)` channels; a Lite-HRNet's come from its
        iterative head and have `width * (1, 1, 2, 4)`. Its attribute `pyramid_outputs`, by which
        KerasHub's RetinaNet and DeepLabV3 find the maps, is not saved with it: after loading, set
        `model.pyramid_outputs = model.output`.

    Raises:
        ValueError: an unknown name or a shape the network cannot take.
    """
    check_choice("features", features, ("raw", "increased"))
    if isinstance(spec_of(arch), LiteHRNetSpec) and (features != "raw" or stem):
        raise ValueError(
            "Lite-HRNet has no increased features and no stem map. "
            f"Received: arch={arch!r}, features={features!r}, stem={stem!r}."
        )
    image, xs = trunk(arch, input_shape, 4)
    xs = increase(xs) if features == "increased" else xs
    levels = {f"P{level}": x for level, x in enumerate(xs, 2)}
    if stem:
        first = keras.Model(image, xs[0]).get_layer("bn1.relu").output
        levels = {"P1": first, **levels}
    model = keras.Model(image, levels, name=network_name(arch, "backbone"))
    model.pyramid_outputs = levels
    return model


def feature_pyramid(
    arch: Arch,
    input_shape: tuple = (256, 256, 3),
    channels: int = 256,
    pooling: str = "average",
) -> keras.Model:
    """HRNetV2p, the feature pyramid of the detectors (`HRFPN` of HRNet-Object-Detection).

    The coarser levels are pooled from the finest, as in the released code; the papers describe
    strided convolutions.

    Args:
        arch: an HRNet's name or spec.
        input_shape: (height, width, channels); height and width are multiples of 64, or None.
        channels: number in every level.
        pooling: "average" or "max".

    Returns:
        A model from `(B, H, W, C)` to `{"P2": …, …, "P6": …}`, maps at strides 4, 8, 16, 32, 64.

    Raises:
        ValueError: an unknown name or a shape the network cannot take.
    """
    check_count("channels", channels, "The original has 256.")
    check_choice("pooling", pooling, POOLING)
    hrnet_only(arch, "a feature pyramid")
    image, xs = trunk(arch, input_shape, 4, multiple=2 * MULTIPLE)
    levels = {f"P{level}": x for level, x in enumerate(pyramid(xs, channels, pooling), 2)}
    model = keras.Model(image, levels, name=network_name(arch, "feature_pyramid"))
    model.pyramid_outputs = levels
    return model
