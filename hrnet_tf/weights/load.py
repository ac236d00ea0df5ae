"""Weights into models: check that everything fits, then assign.

A layer's name is the parameter path of the original PyTorch file (`stage2.0.branches.1.3.conv2`),
so only OpenMMLab's heads need a table of names (`renames.py`), and every tensor is either used once
or named in the report.
"""

import os
import re
from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple

import keras
import numpy as np

from hrnet_tf.weights.detectors import converted
from hrnet_tf.weights.files import read_checkpoint
from hrnet_tf.weights.fit import CheckpointReport, check_fit, compare
from hrnet_tf.weights.folded import CONVOLUTIONS, forward_order, is_folded, unfold
from hrnet_tf.weights.ncnn import is_ncnn, read_ncnn
from hrnet_tf.weights.renames import original_names

__all__ = ["CheckpointReport", "load_checkpoint", "read_checkpoint", "weights_of"]

# Prefixes of names, of DataParallel, HRNet's segmentation code, OpenMMLab, maskrcnn-benchmark.
PREFIX = re.compile(r"((module|model|backbone|body|neck|fpn)\.)*")
LEAVES = {
    "kernel": "weight",
    "bias": "bias",
    "gamma": "weight",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}


class _Place(NamedTuple):
    layer: keras.layers.Layer
    variable: keras.Variable
    axes: tuple[int, ...]  # from PyTorch's layout to Keras'
    maps: tuple[int, ...] = ()  # (h, w, C) of the maps that a dense layer reads flattened


def load_checkpoint(
    model: keras.Model,
    source: str | os.PathLike | Mapping[str, np.ndarray],
    allow_head_mismatch: bool = False,
) -> CheckpointReport:
    """Load weights of the original repositories, timm, OpenMMLab or a folded model into `model`.

    Every tensor must fit: a missing, unused or misshapen one is an error, and after an error the
    model is unchanged. Two differences are allowed and reported. A network without a head of its
    own (`backbone`, `feature_pyramid`) leaves the heads of the file unused. If no convolution of
    the file has a bias in front of its normalization, as in OpenMMLab's segmentation networks, the
    model's biases there become zero, which gives the same function.

    Args:
        model: a network whose layers are named after the original parameters (`hrnet_tf.pose`).
        source: a file for `read_checkpoint`, or arrays in PyTorch's layout by their names there, or
            a list of folded convolutions (`hrnet_tf.weights.folded`), also ncnn's `.bin` file.
        allow_head_mismatch: for other keypoints or classes, or to start from a network for another
            task. The trunk must still be complete, except for the exchange rows that HRNetV2 has
            and HRNetV1 lacks, and for the finest map of Lite-HRNet, which light detectors do not
            have. These rows and each part of the head (`final_layer`, ...) are loaded whole or, if
            a tensor does not fit, initialised anew. Other tensors stay unused.

    Raises:
        ValueError: the file is unreadable, does not fit, or holds NaN or infinity.
    """
    places = _places(model)
    arrays = source if isinstance(source, Mapping) else _read(source, model)
    if is_folded(arrays):
        (tensors, ignored), dropped = unfold(model, arrays), {}
    else:
        tensors, dropped = original_tensors(arrays)
        ignored = [name for name in tensors if _is_no_weight(name, places)]
    known = dict(ignored=tuple(ignored), dropped=dropped, zeroed=_biases_to_zero(model, tensors))
    report = compare(places, tensors, known, allow_head_mismatch)
    check_fit(report, places, source, allow_head_mismatch)
    values = {name: _value(name, tensors[name], places[name]) for name in report.loaded}
    for name, value in values.items():
        places[name].variable.assign(value)
    for name in report.zeroed:
        places[name].variable.assign(np.zeros(places[name].variable.shape, "float32"))
    for name in report.reinitialized:
        _reinitialize(model.get_layer(name))
    return report


def _read(path, model):
    with open(path, "rb") as file:
        if not is_ncnn(file.read(4)):
            return read_checkpoint(path)
        file.seek(0)
        try:
            return read_ncnn(file.read(), forward_order(model))
        except ValueError as error:
            raise ValueError(
                "`source` must be a file of weights of `model`. "
                f"Received: source={os.fspath(path)!r}, which {error}"
            ) from error


def weights_of(model: keras.Model) -> dict[str, np.ndarray]:
    """The weights of a model under their original names, in PyTorch's layout.

    `load_checkpoint` takes the result as its `source`.
    """
    return {
        name: _original_layout(keras.ops.convert_to_numpy(place.variable), place)
        for name, place in _places(model).items()
    }


def _places(model):
    """PyTorch's name of each parameter -> its layer, variable and order of axes."""
    places = {}
    norms = keras.layers.BatchNormalization, keras.layers.GroupNormalization
    known = (*CONVOLUTIONS, keras.layers.Dense, *norms)
    for layer in model.layers:
        if layer.weights and not isinstance(layer, known):
            raise ValueError(
                "`model` must consist of convolutions, normalizations and Dense layers under "
                f"their original names. Received: a layer {layer.name!r} of type "
                f"{type(layer).__name__}. Load into the model before it was wrapped."
            )
        for variable in layer.weights:
            axes = {1: (0,), 2: (1, 0), 4: (2, 3, 1, 0)}[len(variable.shape)]
            if len(axes) == 4 and isinstance(layer, keras.layers.DepthwiseConv2D):
                axes = (2, 3, 0, 1)
            maps = _flattened(layer) if axes == (1, 0) else ()
            places[f"{layer.name}.{LEAVES[variable.name]}"] = _Place(layer, variable, axes, maps)
    return places


def _flattened(layer):
    """(h, w, C) of the maps that a dense layer reads flattened; PyTorch flattens C, h, w."""
    before = layer.input._keras_history.operation
    shape = before.input.shape[1:] if isinstance(before, keras.layers.Flatten) else ()
    return tuple(shape) if len(shape) == 3 else ()


def original_tensors(
    arrays: Mapping[str, np.ndarray],
) -> tuple[dict[str, np.ndarray], dict[str, int]]:
    """Tensors under the names of the model's layers, and each prefix's number of names.

    Layouts stay PyTorch's; only old detectors' background class moves (`weights/detectors.py`).

    Raises:
        ValueError: two names are the same without their prefixes.
    """
    prefixes = {key: PREFIX.match(key).group() for key in arrays}
    bare = {key: key.removeprefix(prefix) for key, prefix in prefixes.items()}
    names = original_names(bare.values())
    tensors, dropped = {}, Counter()
    for key, array in arrays.items():
        name = names[bare[key]]
        if name in tensors:
            raise ValueError(
                f"`source` must name every tensor once. Received: {name!r} also as {key!r}. "
                "Pass a dictionary with one of them."
            )
        tensors[name] = converted(bare[key], np.asarray(array))
        dropped[prefixes[key]] += bool(prefixes[key])
    return tensors, dict(+dropped)


def _is_no_weight(name, places):
    """True for counters of BatchNorm, the epsilon of a frozen one, class weights of a loss."""
    layer, _, leaf = name.rpartition(".")
    if leaf in ("num_batches_tracked", "eps"):
        return f"{layer}.running_mean" in places
    return name == "loss.criterion.weight"


def _biases_to_zero(model, tensors):
    """The biases in front of a normalization, unless a convolution of the file has one there."""
    normalized = {
        id(layer.input)
        for layer in model.layers
        if isinstance(layer, keras.layers.BatchNormalization)
    }
    layers = [
        layer.name
        for layer in model.layers
        if isinstance(layer, CONVOLUTIONS) and layer.use_bias and id(layer.output) in normalized
    ]
    if any(f"{name}.bias" in tensors for name in layers):
        return ()
    return tuple(f"{name}.bias" for name in layers if f"{name}.weight" in tensors)


def _value(name, array, place):
    with np.errstate(over="ignore"):
        value = np.asarray(array, "float32")
    if not np.isfinite(value).all():
        raise ValueError(
            f"`source` must hold finite numbers. Received: NaN or infinity in tensor {name!r}. "
            "Take another epoch's file."
        )
    if place.maps:
        height, width, channels = place.maps
        value = value.reshape(-1, channels, height, width).transpose(0, 2, 3, 1)
        value = value.reshape(len(value), -1)
    return value.transpose(place.axes)


def _original_layout(value, place):
    value = value.transpose(np.argsort(place.axes))
    if place.maps:
        value = value.reshape(-1, *place.maps).transpose(0, 3, 1, 2).reshape(len(value), -1)
    return value


def _reinitialize(layer):
    for variable in layer.weights:
        depthwise = variable.name == "kernel" and isinstance(layer, keras.layers.DepthwiseConv2D)
        initializer = "depthwise" if depthwise else variable.name
        start = getattr(layer, f"{initializer}_initializer")
        variable.assign(start(variable.shape, dtype=variable.dtype))
