"""Weights into models: check that everything fits, then assign.

A layer's name is the parameter path of the original PyTorch file (`stage2.0.branches.1.3.conv2`),
so no table of names is needed, and every tensor is either used once or named in the report.
"""

import os
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import keras
import numpy as np

from hrnet_tf.folded import CONVOLUTIONS, is_folded, unfold
from hrnet_tf.weight_files import read_checkpoint

__all__ = ["CheckpointReport", "load_checkpoint", "read_checkpoint"]

# What tools put before the names: DataParallel, segmentation, OpenMMLab, maskrcnn-benchmark.
PREFIX = re.compile(r"((module|model|backbone|body)\.)*((keypoint_)?head\.(?=final_layer\.))?")
TRUNK = re.compile(r"(conv1|bn1|conv2|bn2|layer1|transition\d|stage\d|stem|head_layer)\.")
# The rows of the last exchange unit that only HRNetV2 has.
LOWER_ROWS = re.compile(r"stage4\.\d+\.fuse_layers\.[1-3]\.")

LEAVES = {
    "kernel": "weight",
    "bias": "bias",
    "gamma": "weight",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}


@dataclass(frozen=True)
class CheckpointReport:
    """What became of every tensor of a checkpoint, under the names of the model's layers.

    Attributes:
        loaded: tensors now in the model.
        ignored: tensors that are no weights: counters, class weights of a loss, examples.
        unused: tensors for which the model has no place.
        missing: parameters of the model that the checkpoint lacks.
        mismatched: name -> what is there and the shape that is needed, in PyTorch's layout.
        reinitialized: layers of the head that started anew.
        dropped: prefix in the file -> number of names that lost it.
    """

    loaded: tuple[str, ...]
    ignored: tuple[str, ...]
    unused: tuple[str, ...]
    missing: tuple[str, ...]
    mismatched: Mapping[str, str]
    reinitialized: tuple[str, ...]
    dropped: Mapping[str, int]

    def summary(self) -> str:
        """A few lines for a person."""
        lines = [f"{len(self.loaded)} tensors loaded"]
        lines += [f"`{prefix}` dropped from {n} names" for prefix, n in self.dropped.items()]
        for kind in ("ignored", "unused", "missing", "mismatched", "reinitialized"):
            if names := getattr(self, kind):
                lines.append(f"{len(names)} {kind}: {_first(names)}")
        return "\n".join(lines)


class _Place(NamedTuple):
    layer: keras.layers.Layer
    variable: keras.Variable
    axes: tuple[int, ...]  # from PyTorch's layout to Keras'


def load_checkpoint(
    model: keras.Model,
    source: str | os.PathLike | Mapping[str, np.ndarray],
    allow_head_mismatch: bool = False,
) -> CheckpointReport:
    """Load weights of the original repositories, of OpenMMLab or of a folded model into `model`.

    Every tensor must fit: a missing, unused or misshapen one is an error, and after an error the
    model is as it was.

    Args:
        model: its layers are named after the original parameters, as those of `hrnet_tf.pose`.
        source: a file for `read_checkpoint`, or arrays in PyTorch's layout by their names there, or
            a list of folded convolutions (`hrnet_tf.folded`).
        allow_head_mismatch: for other keypoints, or to start from an ImageNet classifier. The
            trunk must still be complete. Each part of the head (`final_layer`, ...) is loaded
            whole or, where a tensor of it does not fit, initialised anew. Tensors of other heads
            and the exchange rows that only HRNetV2 has stay unused.

    Raises:
        ValueError: the file is unreadable, does not fit, or holds NaN or infinity.
    """
    places = _places(model)
    arrays = source if isinstance(source, Mapping) else read_checkpoint(source)
    if is_folded(arrays):
        (tensors, ignored), dropped = unfold(model, arrays), {}
    else:
        tensors, dropped = _strip(arrays)
        ignored = [name for name in tensors if _is_no_weight(name, places)]
    report = _compare(places, tensors, ignored, dropped, allow_head_mismatch)
    _check_fit(report, source, allow_head_mismatch)
    values = {name: _value(name, tensors[name], places[name].axes) for name in report.loaded}
    for name, value in values.items():
        places[name].variable.assign(value)
    for name in report.reinitialized:
        _reinitialize(model.get_layer(name))
    return report


def _places(model):
    """PyTorch's name of each parameter -> where it goes."""
    places = {}
    known = (*CONVOLUTIONS, keras.layers.Dense, keras.layers.BatchNormalization)
    for layer in model.layers:
        if layer.weights and not isinstance(layer, known):
            raise ValueError(
                "`model` must consist of convolutions, BatchNormalization and Dense layers under "
                f"their original names. Received: a layer {layer.name!r} of type "
                f"{type(layer).__name__}. Load into the model before it was wrapped."
            )
        for variable in layer.weights:
            axes = {1: (0,), 2: (1, 0), 4: (2, 3, 1, 0)}[len(variable.shape)]
            if len(axes) == 4 and isinstance(layer, keras.layers.DepthwiseConv2D):
                axes = (2, 3, 0, 1)
            places[f"{layer.name}.{LEAVES[variable.name]}"] = _Place(layer, variable, axes)
    return places


def _strip(arrays):
    tensors, dropped = {}, Counter()
    for key, array in arrays.items():
        prefix = PREFIX.match(key).group()
        name = key.removeprefix(prefix)
        if name in tensors:
            raise ValueError(
                f"`source` must name every tensor once. Received: {name!r} also as {key!r}. "
                "Pass a dictionary with one of them."
            )
        tensors[name] = np.asarray(array)
        dropped[prefix] += bool(prefix)
    return tensors, dict(+dropped)


def _is_no_weight(name, places):
    """Counters of BatchNorm, the epsilon of a frozen one, class weights of a loss."""
    layer, _, leaf = name.rpartition(".")
    if leaf in ("num_batches_tracked", "eps"):
        return f"{layer}.running_mean" in places
    return name == "loss.criterion.weight"


def _compare(places, tensors, ignored, dropped, renew_head):
    """The report of a load that has yet to happen."""
    missing = [name for name in places if name not in tensors]
    mismatched = {}
    for name in (name for name in places if name in tensors):
        _, variable, axes = places[name]
        shape = tuple(variable.shape[axes.index(i)] for i in range(len(axes)))
        if tensors[name].shape != shape or tensors[name].dtype.kind != "f":
            mismatched[name] = f"{tensors[name].dtype} {tensors[name].shape} for {shape}"
    unfit = {*missing, *mismatched}
    anew = {_part(name) for name in unfit if renew_head and not TRUNK.match(name)}
    loaded = [name for name in places if name not in unfit and _part(name) not in anew]
    known = {*loaded, *mismatched, *ignored}
    return CheckpointReport(
        loaded=tuple(loaded),
        ignored=tuple(ignored),
        unused=tuple(name for name in tensors if name not in known),
        missing=tuple(missing),
        mismatched=mismatched,
        reinitialized=tuple(
            dict.fromkeys(places[name].layer.name for name in places if _part(name) in anew)
        ),
        dropped=dropped,
    )


def _check_fit(report, source, allow_head_mismatch):
    everything = {kind: getattr(report, kind) for kind in ("mismatched", "missing", "unused")}
    trunk = {kind: list(filter(TRUNK.match, names)) for kind, names in everything.items()}
    trunk["unused"] = [name for name in trunk["unused"] if not LOWER_ROWS.match(name)]
    problems = trunk if allow_head_mismatch else everything
    if not any(problems.values()):
        return
    found = []
    for kind, names in problems.items():
        if kind == "mismatched":
            names = [f"{name}: {report.mismatched[name]}" for name in names]
        if names:
            found.append(f"{len(names)} {kind} ({_first(names)})")
    given = f"{len(source)} arrays" if isinstance(source, Mapping) else repr(os.fspath(source))
    way_out = (
        "Build the architecture that was trained."
        if any(trunk.values())
        else "Pass `allow_head_mismatch=True` to load the trunk and start the head anew."
    )
    raise ValueError(
        f"`source` must fit `model` tensor by tensor. Received: source={given} with "
        f"{', '.join(found)}. {way_out}"
    )


def _value(name, array, axes):
    with np.errstate(over="ignore"):
        value = np.asarray(array, "float32")
    if not np.isfinite(value).all():
        raise ValueError(
            f"`source` must hold finite numbers. Received: NaN or infinity in tensor {name!r}. "
            "Take another epoch's file."
        )
    return value.transpose(axes)


def _reinitialize(layer):
    for variable in layer.weights:
        depthwise = variable.name == "kernel" and isinstance(layer, keras.layers.DepthwiseConv2D)
        initializer = "depthwise" if depthwise else variable.name
        start = getattr(layer, f"{initializer}_initializer")
        variable.assign(start(variable.shape, dtype=variable.dtype))


def _part(name):
    return name.partition(".")[0]


def _first(names):
    names = list(names)
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return ", ".join(names[:5]) + more
