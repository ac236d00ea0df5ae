"""FCOS (Tian et al. ICCV 2019): classes, boxes and centerness of every cell."""

import math

import keras
from keras import layers, ops

from hrnet_tf.networks.blocks import conv_layer, normal

GROUPS = 32
EPSILON = 1e-5
PRIOR = 0.01  # probability of each class at the start of training


def fcos(levels, num_classes, tower_bias=False, channels=256):
    """Two towers of four convolutions, shared by all levels, as mmdetection's `FCOSHead`.

    Args:
        levels: name of a pyramid's level -> (B, h, w, C).
        num_classes: there is no class for the background.
        tower_bias: whether the towers' convolutions have a bias, as in HRNet-FCOS.
        channels: of the towers.

    Returns:
        `class_logits_P3` (B, h, w, num_classes), `log_distances_P3` (B, h, w, 4), logarithms of the
        distances in pixels from the cell's centre to the left, top, right and bottom side, and
        `centerness_P3` (B, h, w, 1), a logit; float32. And so on for each level.
    """
    towers = [
        _tower(f"bbox_head.{name}", channels, tower_bias) for name in ("cls_convs", "reg_convs")
    ]
    rare = keras.initializers.Constant(-math.log((1 - PRIOR) / PRIOR))
    classes = _last(num_classes, "bbox_head.conv_cls", bias_initializer=rare)
    distances = _last(4, "bbox_head.conv_reg")
    center = _last(1, "bbox_head.conv_centerness")
    found = {}
    for i, (name, x) in enumerate(levels.items()):
        for_classes, for_boxes = (_climb(tower, x) for tower in towers)
        found[f"class_logits_{name}"] = classes(for_classes)
        found[f"log_distances_{name}"] = _scale(distances(for_boxes), f"bbox_head.scales.{i}")
        found[f"centerness_{name}"] = center(for_classes)
    kinds = ("class_logits", "log_distances", "centerness")
    return {f"{kind}_{name}": found[f"{kind}_{name}"] for kind in kinds for name in levels}


def _tower(name, channels, use_bias):
    """Layers in the order in which a map passes them."""
    found = []
    for i in range(4):
        conv = f"{name}.{i}.conv"
        found += [
            conv_layer(channels, 3, conv, use_bias=use_bias, start=normal(0.01)),
            layers.GroupNormalization(GROUPS, epsilon=EPSILON, name=f"{name}.{i}.gn"),
            layers.Activation("relu", name=f"{name}.{i}.relu"),
        ]
    return found


def _climb(tower, x):
    for layer in tower:
        x = layer(x)
    return x


def _last(filters, name, **options):
    return conv_layer(filters, 3, name, start=normal(0.01), dtype="float32", **options)


def _scale(x, name):
    """One learned factor for a whole level: a dense layer of one number."""
    factor = layers.Dense(1, use_bias=False, kernel_initializer="ones", dtype="float32", name=name)
    return ops.squeeze(factor(ops.expand_dims(x, -1)), -1)
