"""Checkpoints whose BatchNorm is folded into the convolutions: ordered lists without layer names.

ncnn, OpenVINO and TFLite files hold networks in this form. The convolutions are `Conv_0`, `Conv_1`,
... in the order of the graph, each with a bias.
"""

import re
from collections.abc import Iterable, Mapping

import keras
import numpy as np

CONVOLUTIONS = (
    keras.layers.Conv2D,
    keras.layers.DepthwiseConv2D,
    keras.layers.Conv2DTranspose,
)
_WEIGHT = re.compile(r"Conv_(\d+)/weight")


def is_folded(names: Iterable[str]) -> bool:
    """Whether the names are those of a list of folded convolutions."""
    return any(_WEIGHT.fullmatch(name) for name in names)


def unfold(
    model: keras.Model, arrays: Mapping[str, np.ndarray]
) -> tuple[dict[str, np.ndarray], list[str]]:
    """Rename the convolutions of a list to those of `model`, in forward order.

    A BatchNorm after a convolution gets weights that add the bias and change nothing else, exactly.

    Args:
        model: a functional model with as many convolutions as the list.
        arrays: `Conv_k/weight` (out, in, h, w) and `Conv_k/bias`; other arrays are not weights.

    Returns:
        Tensors under the model's names, and the names of the other arrays.

    Raises:
        ValueError: the list is of another length, or has gaps.
    """
    convolutions = forward_order(model)
    wanted = [f"Conv_{k}/{leaf}" for k in range(len(convolutions)) for leaf in ("weight", "bias")]
    lacking = [name for name in wanted if name not in arrays]
    count = sum(bool(_WEIGHT.fullmatch(name)) for name in arrays)
    if lacking or count != len(convolutions):
        raise ValueError(
            "`source` must hold Conv_k/weight and Conv_k/bias for every convolution of `model`, "
            f"k = 0 to {len(convolutions) - 1}. Received: {count} weights"
            f"{f', without {lacking[0]}' if lacking else ''}. "
            "Build the architecture that was folded."
        )
    normalizations = {
        id(layer.input): layer
        for layer in model.layers
        if isinstance(layer, keras.layers.BatchNormalization)
    }
    tensors = {}
    for k, layer in enumerate(convolutions):
        bias = np.asarray(arrays[f"Conv_{k}/bias"], "float32")
        tensors[f"{layer.name}.weight"] = np.asarray(arrays[f"Conv_{k}/weight"])
        norm = normalizations.get(id(layer.output))
        if norm is None:
            tensors[f"{layer.name}.bias"] = bias
            continue
        one = np.ones_like(bias)
        tensors[f"{norm.name}.weight"] = one
        tensors[f"{norm.name}.bias"] = bias
        tensors[f"{norm.name}.running_mean"] = 0 * one
        # The layer divides by sqrt(variance + epsilon), which is now 1.
        tensors[f"{norm.name}.running_var"] = one - np.float32(norm.epsilon)
    return tensors, [name for name in arrays if name not in wanted]


def forward_order(model: keras.Model) -> list[keras.layers.Layer]:
    """The convolutions of a functional model in the order in which the original code runs them.

    A graph alone does not fix the order of parallel streams; the dotted names do. Among the parts
    under one prefix, a part that feeds another comes first (`transition1` before `stage1`); parts
    that do not depend on each other are sorted by number or name: `branches.0` before `branches.1`.
    """
    upstream, feeding = {}, {}
    for operation in model.operations:  # parents come before children
        before = set()
        for tensor in keras.tree.flatten(operation.input):
            before |= feeding.get(id(tensor), set())
        if isinstance(operation, CONVOLUTIONS):
            upstream[operation.name] = before
            before = before | {operation.name}
        for tensor in keras.tree.flatten(operation.output):
            feeding[id(tensor)] = before
    by_name = {layer.name: layer for layer in model.layers}
    return [by_name[name] for name in _arrange(list(upstream), upstream, 0)]


def _arrange(names, upstream, depth):
    if len(names) == 1:
        return names
    parts = {}
    for name in names:
        parts.setdefault([*name.split("."), ""][depth], []).append(name)
    needs = {part: set().union(*(upstream[n] for n in inside)) for part, inside in parts.items()}
    ordered = []
    while parts:
        ready = [
            part
            for part in parts
            if all(part == other or needs[part].isdisjoint(parts[other]) for other in parts)
        ]
        # Parts that feed each other in a circle are sorted by name.
        first = min(ready or parts, key=lambda part: (int(part) if part.isdigit() else 0, part))
        ordered += _arrange(parts.pop(first), upstream, depth + 1)
    return ordered
