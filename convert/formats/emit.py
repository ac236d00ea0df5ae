"""TFLite files of a network in every precision of `precisions.PRECISIONS`.

Ranges are set as fake quantization in the graph, and TFLite's converter takes them from there. It
needs no images of its own then, and decides nothing.
"""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from hrnet_tf.convert.formats.flatbuffer import half_kernels
from hrnet_tf.convert.graph.compute import Weights, function, own_weights, unmarked
from hrnet_tf.convert.graph.nodes import Graph
from hrnet_tf.convert.integers.plan import check_crops, plan
from hrnet_tf.convert.integers.precisions import PRECISIONS, TYPES, Precision
from hrnet_tf.convert.integers.rounding import compensated
from hrnet_tf.convert.integers.simulate import Plan
from hrnet_tf.quiet import quiet


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
