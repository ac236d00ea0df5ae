"""TFLite files of a network in every precision of `precisions.PRECISIONS`.

Ranges are set as fake quantization in the graph, and TFLite's converter takes them from there. It
needs no images of its own then, and decides nothing.
"""

import dataclasses
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from hrnet_tf.convert import ranges as measuring
from hrnet_tf.convert.compute import (
    Weights,
    apply,
    batches,
    function,
    own_weights,
    tensors,
    unmarked,
)
from hrnet_tf.convert.equalize import centred, channel_scales, equalized
from hrnet_tf.convert.graph import Graph
from hrnet_tf.convert.half import half_kernels
from hrnet_tf.convert.precisions import PRECISIONS, TYPES, Precision
from hrnet_tf.convert.rounding import compensated
from hrnet_tf.convert.simulate import MOVES, Plan, rounded
from hrnet_tf.quiet import quiet

FACTOR = 100  # at most, between the integers of a sum of products and those of its result


def plan(graph: Graph, precision: str | Precision, crops: np.ndarray) -> Plan:
    """How a network becomes integers of 8 bits.

    Args:
        graph: after `fold_norms` and `merge_resizes`; it stays as it is.
        precision: a key of `PRECISIONS`, or one's own.
        crops: (N, H, W, 3) float32, as the network takes them.

    Raises:
        ValueError: no crops, crops of another size, or crops that tell nothing.
    """
    precision = PRECISIONS[precision] if isinstance(precision, str) else precision
    check_crops(graph, crops)
    weights = own_weights(graph)
    found = measuring.extremes(graph, weights, crops)
    matter = None
    if precision.equalize or precision.clip:
        matter = measuring.importance(graph, weights, crops)
    if precision.equalize:
        weights, found = centred(graph, weights, found)
        scales = channel_scales(graph, found, matter)
        weights, found = equalized(graph, weights, scales), measuring.scaled(found, scales)
        matter = {node: each / scales[node] ** 2 for node, each in matter.items()}
    limits = measuring.min_max(graph, found)
    if precision.clip:
        limits = measuring.clipped(graph, weights, crops, limits, matter)
    weights = _limited(graph, weights, limits)
    if precision.correct:
        weights = compensated(graph, weights, crops)
    if precision.float_head:
        limits = {node: each for node, each in limits.items() if node not in graph.results}
    return Plan(graph, weights, limits)


def _limited(graph, weights, limits):
    """Kernels that no input can use clipped: XNNPACK takes factors between integers up to 256.

    Only inputs that are always rounded to 0 have larger ones.
    """
    readers, changed = graph.readers(), dict(weights)
    for node, values in weights.items():
        result = node if node in limits else readers[node][0]  # what it is fused with
        steps = [(limits[each][1] - limits[each][0]) / 255 for each in (node.inputs[0], result)]
        most = FACTOR * 127 * steps[1] / steps[0]
        if np.abs(values["kernel"]).max() > most:
            changed[node] = {**values, "kernel": np.clip(values["kernel"], -most, most)}
    return changed


def tflite(
    graph: Graph,
    precision: str | Precision,
    crops: np.ndarray | None = None,
    input_type: str = "float32",
    output_type: str = "float32",
    batch: int = 1,
) -> bytes:
    """The content of a `.tflite` file.

    Args:
        graph: after `fold_norms` and `merge_resizes`; it stays as it is.
        precision: a key of `PRECISIONS`, or one's own.
        crops: (N, H, W, 3) float32, as the network takes them, for integer results.
        input_type: "int8" or "uint8" for files of integers, or "float32".
        output_type: likewise.
        batch: images per call.

    Raises:
        ValueError: unusable arguments.
    """
    precision = PRECISIONS[precision] if isinstance(precision, str) else precision
    for name, value in (("input_type", input_type), ("output_type", output_type)):
        if value not in TYPES or (value != "float32" and precision.activations != 8):
            raise ValueError(
                f"`{name}` must be float32, or for int8 files also int8 or uint8. "
                f"Received: {name}={value!r}."
            )
    if precision.activations == 8:
        return emit(plan(graph, precision, crops), input_type, output_type, batch)
    weights = own_weights(graph)
    if precision.activations == 16:
        check_crops(graph, crops)
        if precision.correct:
            weights = compensated(graph, weights, crops)
    converter = _converter(graph, weights, batch)
    if precision.weights == "float16":
        return half_kernels(_converted(converter))
    if precision.weights == "int8":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if precision.activations == 16:
        kind = "EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8"
        converter.target_spec.supported_ops = [tf.lite.OpsSet[kind]]
        converter.representative_dataset = lambda: ([crop[None]] for crop in crops)
    return _converted(converter)


def emit(
    plan: Plan, input_type: str = "float32", output_type: str = "float32", batch: int = 1
) -> bytes:
    """The content of an int8 `.tflite` file that computes a plan; arguments as of `tflite`."""
    converter = _converter(plan.graph, plan.weights, batch, plan.mark)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.inference_input_type = tf.as_dtype(input_type)
    converter.inference_output_type = tf.as_dtype(output_type)
    return _converted(converter)


def _converter(graph: Graph, weights: Weights, batch: int, mark: Callable = unmarked):
    """TFLite's converter of a graph."""
    # Of variables there is one copy in memory; of constants a dozen.
    weights = {
        node: {name: tf.Variable(value) for name, value in values.items()}
        for node, values in weights.items()
    }
    module = tf.Module()  # without one the converter takes twice the time, and names no outputs
    module.weights = [*weights.values()]
    module.call = function(graph, weights, batch, mark)
    concrete = module.call.get_concrete_function()
    return tf.lite.TFLiteConverter.from_concrete_functions([concrete], module)


def _converted(converter):
    try:
        with quiet():
            return converter.convert()
    except Exception as error:  # the converter has a class of its own for every stage
        reason = str(error).strip().split("\n")[0].split("error: ")[-1]
        raise ValueError(
            f"TensorFlow's converter refuses the network ({reason}). Try the precision float16, "
            "or leave the part that it names out of the network."
        ) from error


def check_crops(graph: Graph, crops: np.ndarray | None) -> None:
    """Raises ValueError unless crops can tell ranges."""
    shape = graph.nodes[0].shape
    if crops is None or not len(crops) or crops.shape[1:] != shape:
        raise ValueError(
            f"`crops` must be float32 (N, {', '.join(map(str, shape))}), N above 0, to measure the "
            f"ranges on. Received: {None if crops is None else crops.shape}. "
            "hrnet_tf.convert.calibration makes them of photos."
        )
    if not np.isfinite(crops).all() or (crops == crops[:1, :1, :1]).all():
        raise ValueError(
            "`crops` must be finite, and not all of one colour, to measure ranges on. "
            f"Received: {crops.min()} to {crops.max()}. Give real photos."
        )


@dataclasses.dataclass(frozen=True)
class Loss:
    """What quantization costs one layer, in decibels of signal to noise: higher is better.

    Attributes:
        name: of the layer.
        kind: of its node.
        own: if weights and result of this layer alone were integers.
        total: with all layers before it.
    """

    name: str
    kind: str
    own: float
    total: float


def losses(graph: Graph, precision: str | Precision, crops: np.ndarray) -> list[Loss]:
    """What each layer loses in a simulation of an int8 file, the worst of its own first.

    Args:
        graph: after `fold_norms` and `merge_resizes`.
        precision: an int8 one of `PRECISIONS`, or one's own.
        crops: (N, H, W, 3) float32: ranges are measured on all, losses on the first 32.
    """
    found = plan(graph, precision, crops)
    moved = [node for node in graph.nodes if node.kind not in MOVES]
    exact_weights = tensors(found.weights)
    int8_weights = rounded(exact_weights)

    @tf.function(autograph=False, input_signature=[batches(graph)])
    def powers(images):
        exact, all_rounded, sums = {}, {}, []
        for node in graph.nodes:
            weights = int8_weights.get(node)
            before = [exact[source] for source in node.inputs]
            noisy = [all_rounded[source] for source in node.inputs]
            x = apply(node, exact_weights.get(node), before) if before else images
            alone = found.mark(node, apply(node, weights, before) if before else x)
            all_rounded[node] = found.mark(node, apply(node, weights, noisy)) if before else alone
            exact[node] = x
            if node in moved:
                errors = (x, alone - x, all_rounded[node] - x)
                sums.append([tf.reduce_sum(tf.square(each)) for each in errors])
        return tf.stack(sums)

    total = sum(powers(tf.constant(crop[None])).numpy().astype(np.float64) for crop in crops[:32])
    signal, own, whole = total.T
    rows = zip(moved, _decibels(signal, own), _decibels(signal, whole), strict=True)
    rows = (Loss(node.name, node.kind, float(a), float(b)) for node, a, b in rows)
    return sorted((row for row in rows if np.isfinite(row.own)), key=lambda row: row.own)


def _decibels(signal, noise):
    return 10 * np.log10(
        np.divide(signal, noise, out=np.full_like(signal, np.inf), where=noise > 0)
    )
