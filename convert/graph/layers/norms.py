"""Normalizations, and the scaling that networks do in front.

Each function is a `table.Known.read`, or makes one.
"""

import keras
import numpy as np

from hrnet_tf.convert.graph.layers.fallback import weights_of
from hrnet_tf.convert.graph.nodes import Node


def batch_norm(layer, sources, shape):
    if layer.axis not in (-1, len(shape)):
        return None
    values = weights_of(layer)
    gamma, beta = values.get("gamma", np.float32(1)), values.get("beta", np.float32(0))
    scale = gamma / np.sqrt(values["moving_variance"] + np.float32(layer.epsilon))
    weights = {"scale": scale, "offset": beta - values["moving_mean"] * scale}
    return Node("norm", layer.name, [*sources], shape, {}, weights)


def group_norm(layer, sources, shape):
    """Its gamma and beta are settings: unlike kernels they are never rounded to 8 bits."""
    if layer.axis not in (-1, len(shape)) or len(shape) != 3:
        return None
    groups = shape[-1] if layer.groups == -1 else layer.groups
    found = weights_of(layer)
    gamma, beta = (found.get(name, value) for name, value in (("gamma", 1.0), ("beta", 0.0)))
    settings = {"groups": groups, "epsilon": layer.epsilon, "gamma": gamma, "beta": beta}
    return Node("group_norm", layer.name, [*sources], shape, settings)


def _affine(name, sources, shape, scale, offset):
    """X * scale + offset, a number each for a channel or for all; None for other shapes."""
    scale, offset = np.asarray(scale, np.float32), np.asarray(offset, np.float32)
    if any(each.size > 1 and each.shape[-1] != each.size for each in (scale, offset)):
        return None
    if not {scale.size, offset.size} <= {1, shape[-1]}:
        return None
    weights = {
        "scale": np.broadcast_to(scale.ravel(), shape[-1:]).copy(),
        "offset": np.broadcast_to(offset.ravel(), shape[-1:]).copy(),
    }
    return Node("norm", name, [*sources], shape, {}, weights)


def rescaling(layer, sources, shape):
    return _affine(layer.name, sources, shape, layer.scale, layer.offset)


def normalization(layer, sources, shape):
    mean = np.asarray(keras.ops.convert_to_numpy(layer.mean), np.float64)
    std = np.sqrt(np.asarray(keras.ops.convert_to_numpy(layer.variance), np.float64))
    std = np.maximum(std, keras.config.epsilon())
    return _affine(layer.name, sources, shape, 1 / std, -mean / std)
