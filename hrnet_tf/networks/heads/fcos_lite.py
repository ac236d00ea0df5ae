"""FCOS (Tian et al. ICCV 2019) for phones: few multiply-adds, and operations that round well.

Unlike the head of the paper, it has depthwise-separable convolutions, and batch normalization in
place of group normalization, because it folds into the convolutions and leaves nothing that
computes in float. Statistics differ from level to level, so each level has towers of its own. The
finest map has stride 8, so that the trunk's stride 4 needs no head.
"""

import math

import keras

from hrnet_tf.networks.blocks import conv_bn, conv_layer, depthwise_bn, mm_pair, normal
from hrnet_tf.networks.heads.fcos import PRIOR

DEPTH = 2  # convolutions of each tower
START = 4.0  # distances at the start of training, in strides


def lite_pyramid(xs, channels=80):
    """Maps at strides 8, 16, 32, 64 with `channels` channels each, of a trunk's four maps.

    The trunk has mixed resolutions already; a 1x1 convolution brings each to the same channels.
    """
    maps = [
        conv_bn(x, channels, 1, mm_pair(f"fpn_conv.{i}"), activation="relu")
        for i, x in enumerate(xs[1:])
    ]
    return [*maps, _separable(maps[-1], f"fpn_conv.{len(maps)}", stride=2)]


def fcos_lite(levels, num_classes):
    """Scores and boxes of every cell.

    Args:
        levels: name of a pyramid's level, "P" and the logarithm of its stride to the base of 2 ->
            (B, h, w, C). Towers have C channels, too.
        num_classes: there is no class for the background.

    Returns:
        The outputs of `heads.fcos.fcos`, for these levels.
    """
    found = {}
    for name, x in levels.items():
        for_classes, for_boxes = (
            _tower(x, f"bbox_head.{kind}.{name}") for kind in ("cls_convs", "reg_convs")
        )
        rare, near = -math.log((1 - PRIOR) / PRIOR), math.log(START * 2 ** int(name[1:]))
        found[f"class_logits_{name}"] = _last(for_classes, num_classes, f"conv_cls.{name}", rare)
        found[f"log_distances_{name}"] = _last(for_boxes, 4, f"conv_reg.{name}", near)
        found[f"centerness_{name}"] = _last(for_classes, 1, f"conv_centerness.{name}", 0.0)
    kinds = ("class_logits", "log_distances", "centerness")
    return {f"{kind}_{name}": found[f"{kind}_{name}"] for kind in kinds for name in levels}


def _tower(x, name):
    for i in range(DEPTH):
        x = _separable(x, f"{name}.{i}")
    return x


def _separable(x, name, stride=1):
    """A depthwise 3x3 and a 1x1 convolution, each with its normalization."""
    channels = x.shape[-1]
    x = depthwise_bn(x, mm_pair(f"{name}.depthwise_conv"), stride=stride)
    return conv_bn(x, channels, 1, mm_pair(f"{name}.pointwise_conv"), activation="relu")


def _last(x, filters, name, start):
    """A 1x1 convolution in float32, whose biases are `start` at first."""
    bias = keras.initializers.Constant(start)
    options = {"start": normal(0.01), "bias_initializer": bias, "dtype": "float32"}
    return conv_layer(filters, 1, f"bbox_head.{name}", **options)(x)
