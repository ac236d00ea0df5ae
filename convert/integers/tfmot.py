"""Quantization-aware training by tensorflow-model-optimization, beside our own of `aware`.

A graph becomes a functional model of tf_keras, whose layers the library wraps. Training has the
data, values and loss of `aware.fine_tune`; what is rounded where, and how ranges move, is decided
by the library. Its network is no network of Keras 3, so the result is a `.tflite` file alone.
"""

import contextlib
import os
import re
from collections.abc import Callable, Iterator

import numpy as np
import tensorflow as tf
from keras.utils import set_random_seed

from hrnet_tf.convert.formats.emit import quietly
from hrnet_tf.convert.graph.compute import apply, specs
from hrnet_tf.convert.graph.nodes import Graph
from hrnet_tf.convert.integers.aware import with_outputs
from hrnet_tf.convert.integers.plan import plan as make_plan
from hrnet_tf.convert.integers.simulate import MOVES, Plan, fused
from hrnet_tf.convert.source import Source
from hrnet_tf.quiet import quiet
from hrnet_tf.runtime.network import Arrays
from hrnet_tf.training.data.order import steps_per_epoch
from hrnet_tf.training.loop.imitation import Imitation
from hrnet_tf.training.loop.schedules import learning_rate
from hrnet_tf.training.loop.workdir import check_files
from hrnet_tf.training.recipe import Recipe
from hrnet_tf.training.task import training_named

WEIGHTS = ("kernel", "bias")  # in the order of Keras' layers
# TFLite gives their results fixed scales; "linear" changes nothing.
FIXED = ("sigmoid", "softmax", "tanh", "linear")
MISSING = (
    "`qat_by=tfmot` trains with tensorflow-model-optimization, which is not installed: "
    '`pip install -e ".[tfmot]"`.'
)


def check_installed() -> None:
    """Raises ModuleNotFoundError if the library is missing."""
    with _legacy():
        try:
            import tensorflow_model_optimization  # noqa: F401
            import tf_keras  # noqa: F401
        except ModuleNotFoundError as error:
            raise ModuleNotFoundError(MISSING) from error


def trained_by_tfmot(
    source: Source, examples: Arrays, recipe: Recipe, report: Callable[[str], None]
):
    """A network of tf_keras with fake quantization, trained to answer as the source does.

    Args:
        source: a network whose only input is the image.
        examples: "image" (N, H, W, 3) float32, as the network takes it. Ranges start from what is
            measured on them: the library's own start at -6 and 6, and move by a thousandth a step.
        recipe: of `aware.qat_recipe`. One device trains, without accumulated gradients.
        report: called with a line for each epoch.

    Raises:
        ModuleNotFoundError: the library is missing.
        OSError, ValueError: the recipe or its data cannot be used, or the library cannot take a
            layer, which the sentence names.
    """
    check_installed()
    if [*source.graph.inputs] != ["image"]:
        names = ", ".join(source.graph.inputs)
        raise ValueError(
            f"`qat_by=tfmot` takes networks of an image alone. Received: inputs {names}."
        )
    training = training_named(recipe.task)
    recipe = training.settle(recipe)
    check_files(recipe)
    training.check(recipe)
    set_random_seed(recipe.seed)
    teacher = with_outputs(source.model, [*source.graph.outputs])
    loss = Imitation(teacher, (training.distance or training.loss)(recipe))
    start = make_plan(source.graph, "int8_min_max", examples)
    with quiet(), _legacy():
        network = quantized_network(start)
    data = training.source(recipe)
    batches = training.batches(data, recipe, augment=True)
    _fit(network, batches, loss, recipe, steps_per_epoch(len(data), recipe.batch_size), report)
    return network


def _fit(network, batches, loss, recipe, steps, report):
    """Trains for the epochs of a recipe, each of so many steps."""
    import tf_keras

    clip = recipe.clip_norm or None
    optimizer = tf_keras.optimizers.Adam(recipe.learning_rate, epsilon=1e-8, global_clipnorm=clip)
    rate, variables = learning_rate(recipe, steps), network.trainable_variables
    optimizer.build(variables)

    @tf.function(autograph=False)
    def step(images):
        with tf.GradientTape() as tape:
            found = network(images, training=True)
            lost = loss(images, found if len(found) > 1 else next(iter(found.values())))
        optimizer.apply_gradients(zip(tape.gradient(lost, variables), variables, strict=True))
        return lost

    losses = []
    for number, (images, *_) in enumerate(batches.take(steps * recipe.epochs)):
        optimizer.learning_rate.assign(rate(number) if callable(rate) else rate)
        losses.append(float(step(images)))
        if not np.isfinite(losses[-1]):
            raise FloatingPointError(
                f"The loss of step {number} is {losses[-1]}. Lower --qat_rate, now {rate}."
            )
        if (number + 1) % steps == 0:
            mean = np.mean(losses[-steps:])
            report(f"Epoch {(number + 1) // steps} of {recipe.epochs}: loss {mean:.4g}")


def tfmot_file(
    graph: Graph, network, input_type: str = "int8", output_type: str = "int8", batch: int = 1
) -> bytes:
    """The content of the int8 file of a network of `trained_by_tfmot`; types as of `emit.emit`."""
    module = tf.Module()
    module.network = network
    (spec,) = specs(graph, batch).values()
    module.call = tf.function(lambda image: network(image, training=False), autograph=False)
    concrete = module.call.get_concrete_function(spec)
    converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete], module)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.inference_input_type = tf.as_dtype(input_type)
    converter.inference_output_type = tf.as_dtype(output_type)
    try:
        return quietly(converter)
    except Exception as error:  # the converter has a class of its own for every stage
        reason = str(error).strip().split("\n")[0]
        raise ValueError(
            f"TensorFlow's converter refuses what tensorflow-model-optimization made: {reason}. "
            "Train by --qat alone."
        ) from error


def quantized_network(plan: Plan):
    """A tf_keras model after `quantize_apply`: images -> outputs by name.

    It starts from the weights and ranges of a plan, whose kernels keep `plan.MAX_RESCALE`: with a
    larger number XNNPACK ends the process that opens the file.

    Raises:
        ValueError: the library cannot take a layer.
    """
    import tensorflow_model_optimization as tfmot
    import tf_keras

    library, graph, ranges = tfmot.quantization.keras, plan.graph, plan.ranges
    per_channel = _per_channel()
    names, readers = _names(graph), graph.readers()
    after = {readers[node][0]: node for node in fused(graph) if node.weights}
    after = {each: node for each, node in after.items() if each.settings["function"] == "relu"}
    activations = {node: "relu" for node in after.values()}
    nodes = {name: node for node, name in names.items()}

    class Plain(tf_keras.layers.Layer):
        """A node without weights, computed as in every other file of ours."""

        def call(self, inputs):
            return apply(nodes[self.name], None, tf.nest.flatten(inputs))

    results = {}
    for node, name in names.items():
        sources = [results[source] for source in node.inputs]
        if not sources:
            results[node] = tf_keras.Input(node.shape, name=node.name)
            continue
        _check(node)
        if node in after:
            results[node] = sources[0]
            continue
        known = _known(node, name, activations.get(node))
        layer = known or Plain(name=name)
        config = None if known else _config(node)
        if node.kind == "depthwise":
            config = per_channel(["depthwise_kernel"], ["activation"], False)
        wrapped = library.quantize_annotate_layer(layer, config)
        results[node] = wrapped(sources if len(sources) > 1 else sources[0])
        if node.weights:
            values = plan.weights[node]
            layer.set_weights([values[key] for key in WEIGHTS if key in values])
    (image,) = (results[node] for node in graph.inputs.values())
    model = tf_keras.Model(image, {name: results[node] for name, node in graph.outputs.items()})
    with library.quantize_scope({each.__name__: each for each in (Plain, per_channel)}):
        try:
            network = library.quantize_apply(model)
        except (RuntimeError, ValueError) as error:
            reason = str(error).strip().split("\n")[0]
            raise ValueError(
                f"tensorflow-model-optimization cannot take the network: {reason} Train by --qat "
                "alone."
            ) from error
    known = {f"quant_{names[after.get(node, node)]}": each for node, each in ranges.items()}
    _start(network, known, ranges[graph.inputs["image"]])
    return network


def _names(graph):
    """A name for each node that TensorFlow takes for a layer, none twice."""
    return {
        node: f"{number}.{re.sub(r'[^A-Za-z0-9_.]', '.', node.name)}"
        for number, node in enumerate(graph.nodes)
    }


def _check(node):
    if node.kind == "keras" or node.dtype != "float32":
        raise ValueError(
            f"{node.name}: tensorflow-model-optimization cannot take this layer, a "
            f"{node.settings.get('type', node.kind)}. Train by --qat alone."
        )


def _known(node, name, activation):
    """The layer of tf_keras that the library knows how to quantize; None for other nodes.

    A ReLU behind a convolution is its activation: of a ReLU layer behind a convolution without
    normalization between them the library rounds the result, but no longer the kernel.
    """
    from tf_keras import layers

    settings, shapes = node.settings, {source.shape for source in node.inputs}
    if node.kind in ("conv", "depthwise"):
        kernel = node.weights["kernel"]
        same = {
            "kernel_size": kernel.shape[:2],
            "strides": settings["strides"],
            "padding": settings["padding"].lower(),
            "dilation_rate": settings.get("dilation", (1, 1)),
            "use_bias": "bias" in node.weights,
            "activation": activation,
            "name": name,
        }
        if node.kind == "depthwise":
            return layers.DepthwiseConv2D(depth_multiplier=kernel.shape[3], **same)
        groups = node.inputs[0].channels // kernel.shape[2]
        return layers.Conv2D(kernel.shape[3], groups=groups, **same)
    if node.kind == "dense":
        bias = "bias" in node.weights
        return layers.Dense(node.channels, activation, use_bias=bias, name=name)
    if node.kind == "activation" and settings["function"] in ("relu", "relu6"):
        return layers.ReLU({"relu6": 6.0}.get(settings["function"]), name=name)
    if node.kind == "add" and len(node.inputs) == 2 and len(shapes) == 1:
        return layers.Add(name=name)
    return None


def _config(node):
    """How the library treats a node that it does not know: it rounds the result, or does not."""
    from tensorflow_model_optimization.python.core.quantization.keras.default_8bit import (
        default_8bit_quantize_configs as configs,
    )

    if node.kind in MOVES or node.settings.get("function") in FIXED or node.kind == "softmax":
        return configs.NoOpQuantizeConfig()
    return configs.Default8BitOutputQuantizeConfig()


def _per_channel():
    """How the library treats depthwise convolutions, but with a scale for each channel: a class.

    By itself it takes the last axis of a kernel, which here has length 1, and so one scale for all.
    """
    from tensorflow_model_optimization.python.core.quantization.keras.default_8bit import (
        default_8bit_quantize_registry as registry,
    )
    from tensorflow_model_optimization.python.core.quantization.keras.default_8bit import (
        default_8bit_quantizers as quantizers,
    )

    class PerChannel(quantizers.Default8BitConvWeightsQuantizer):
        def build(self, shape, name, layer):
            return super().build((shape[2] * shape[3],), name, layer)

        def __call__(self, kernel, training, weights, **kwargs):
            height, width, *channels = kernel.shape
            flat = tf.reshape(kernel, (height, width, 1, -1))
            found = super().__call__(flat, training, weights, **kwargs)
            return tf.reshape(found, (height, width, *channels))

    class DepthwiseConfig(registry.Default8BitConvQuantizeConfig):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            self.weight_quantizer = PerChannel()

    return DepthwiseConfig


def _start(network, ranges, image):
    """Sets where the ranges of results start; those of kernels follow the kernels."""
    for layer in network.layers:
        known = image if type(layer).__name__ == "QuantizeLayer" else ranges.get(layer.name)
        for variable in layer.weights if known else ():
            end = re.search(r"(?<!kernel)_(min|max)(:0)?$", variable.name)
            if end:
                variable.assign(known[end[1] == "max"])


@contextlib.contextmanager
def _legacy() -> Iterator[None]:
    """Takes back what importing the library does to TensorFlow in programs started from here."""
    name = "TF_USE_LEGACY_KERAS"
    before = os.environ.get(name)
    try:
        yield
    finally:
        os.environ.pop(name, None)
        if before is not None:
            os.environ[name] = before
