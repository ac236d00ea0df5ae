"""TFLite files of a network in every precision of `precisions.PRECISIONS`.

Float files of the usual nodes are written by `direct_tflite`, all others by TensorFlow's converter.
For int8, fake quantization in the graph states the range of every tensor. TFLite's converter takes
the ranges from there and needs no images of its own.
"""

import warnings

import tensorflow as tf

from hrnet_tf.convert.examples import batched, check_examples
from hrnet_tf.convert.formats.direct_tflite import direct
from hrnet_tf.convert.formats.flatbuffer import half_kernels
from hrnet_tf.convert.formats.refusal import culprit
from hrnet_tf.convert.graph.compute import Mark, Weights, function, own_weights, unmarked
from hrnet_tf.convert.graph.nodes import Graph
from hrnet_tf.convert.integers.plan import plan
from hrnet_tf.convert.integers.precisions import PRECISIONS, TYPES, Precision
from hrnet_tf.convert.integers.rounding import compensated
from hrnet_tf.convert.integers.simulate import Plan
from hrnet_tf.quiet import quiet
from hrnet_tf.runtime.network import Arrays


def tflite(
    graph: Graph,
    precision: str | Precision,
    examples: Arrays | None = None,
    input_type: str = "float32",
    output_type: str = "float32",
    batch: int = 1,
) -> bytes:
    """The content of a `.tflite` file.

    Args:
        graph: after `fold_norms` and `merge_resizes`; it stays as it is.
        precision: a key of `PRECISIONS`, or one's own.
        examples: (N, ...) float32 for each input, as the network takes them, to measure the ranges
            of integer results on.
        input_type: of all inputs, "int8" or "uint8" for files of integers, or "float32".
        output_type: likewise of all outputs.
        batch: examples per call.

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
        return emit(plan(graph, precision, examples), input_type, output_type, batch)
    if precision.weights != "int8":
        content = direct(graph, batch) or converted(graph, batch)
        return half_kernels(content) if precision.weights == "float16" else content
    weights = own_weights(graph)
    if precision.activations == 16:
        check_examples(graph, examples)
        if precision.correct:
            weights = compensated(graph, weights, examples)
    converter = _converter(graph, weights, batch)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if precision.activations == 16:
        kind = "EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8"
        converter.target_spec.supported_ops = [tf.lite.OpsSet[kind]]
        converter.representative_dataset = lambda: _samples(graph, examples)
    return _converted(converter, graph)


def converted(graph: Graph, batch: int = 1) -> bytes:
    """The content of a float32 file by TensorFlow's converter; raises ValueError as `tflite`."""
    return _converted(_converter(graph, own_weights(graph), batch), graph)


def emit(
    plan: Plan, input_type: str = "float32", output_type: str = "float32", batch: int = 1
) -> bytes:
    """The content of an int8 `.tflite` file that computes a plan; arguments as of `tflite`."""
    converter = _converter(plan.graph, plan.weights, batch, plan.mark)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.inference_input_type = tf.as_dtype(input_type)
    converter.inference_output_type = tf.as_dtype(output_type)
    return _converted(converter, plan.graph)


def _converter(graph: Graph, weights: Weights, batch: int, mark: Mark = unmarked):
    """TFLite's converter of a graph."""
    # The converter keeps one copy of a variable in memory, and a dozen of a constant.
    weights = {
        node: {name: tf.Variable(value) for name, value in values.items()}
        for node, values in weights.items()
    }
    module = tf.Module()  # without one conversion takes twice as long, and outputs have no names
    module.weights = [*weights.values()]
    module.call = function(graph, weights, batch, mark)
    concrete = module.call.get_concrete_function()
    # Of layers that Keras computes; a module that lacks variables gets outputs without names.
    module.captured = [*concrete.variables]
    return tf.lite.TFLiteConverter.from_concrete_functions([concrete], module)


def _samples(graph, examples):
    """The examples as the converter takes them: of one input in a list, of several by name."""
    for each in batched(examples, 1):
        yield each if len(graph.inputs) > 1 else [*each.values()]


def _converted(converter, graph):
    try:
        return quietly(converter)
    except Exception as error:  # the converter has a class of its own for every stage
        reason = str(error).strip().split("\n")[0].split("error: ")[-1]
        layer = culprit(graph, lambda one: quietly(_converter(one, own_weights(one), 1)))
        if layer:
            raise ValueError(
                f"{layer} cannot be written for TFLite: {reason}. Leave it out of the network, and "
                "compute it outside."
            ) from error
        names = ", ".join(f"{name}: a {kind}" for name, kind in graph.fallbacks.items())
        where = f" with what Keras computes in it, {names}" if names else ""
        raise ValueError(
            f"TensorFlow's converter refuses the network{where} ({reason}). Try the precision "
            "float16, or leave the part that it names out of the network."
        ) from error


def quietly(converter: tf.lite.TFLiteConverter) -> bytes:
    """The content that a converter makes, without its warnings."""
    with quiet(), warnings.catch_warnings():
        # For examples by name it opens its own interpreter, which is deprecated.
        warnings.filterwarnings("ignore", message=".*Interpreter is deprecated")
        # Layers that Keras computes have variables, for which it expects statistics in vain.
        warnings.filterwarnings("ignore", message="Statistics for quantized inputs")
        return converter.convert()
