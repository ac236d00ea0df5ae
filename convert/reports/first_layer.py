"""The first layer that a converted file computes differently than Keras does."""

import tempfile
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from hrnet_tf.convert.examples import part
from hrnet_tf.convert.formats.refusal import alone
from hrnet_tf.convert.graph.compute import compute, own_weights
from hrnet_tf.convert.graph.nodes import Graph, Node
from hrnet_tf.convert.graph.read import read_call
from hrnet_tf.convert.reports.differences import NOISE
from hrnet_tf.patches.keras_graph import flat_inputs, has_training, is_functional, walk
from hrnet_tf.runtime.converted import open_converted
from hrnet_tf.runtime.keras_model import functional, input_shapes
from hrnet_tf.runtime.network import Arrays

EXAMPLES = 2


def first_layer(
    model: keras.Model,
    graph: Graph,
    examples: Arrays,
    convert: Callable[[Graph], bytes],
    suffix: str,
) -> str:
    """The name of the first layer that differs; empty if each is right by itself.

    Args:
        model: the source, functional.
        graph: what was converted.
        examples: (N, ...) float32 for each input; two are used.
        convert: the content of a file of any graph.
        suffix: of such a file.
    """
    arrays = part(examples, 0, EXAMPLES)
    return _misread(model, arrays) or _miswritten(graph, arrays, convert, suffix)


def _misread(model, arrays):
    """The first layer whose nodes compute something else than the layer, given the same."""
    found = []

    def reader(call, args, kwargs):
        operation = call.operation
        if isinstance(operation, keras.Sequential) or is_functional(operation):
            inner = functional(operation)
            return walk(inner, flat_inputs(inner, args[0] if args else kwargs["inputs"]), reader)
        layer = isinstance(operation, keras.layers.Layer)
        known = {"training": False} if layer and has_training(operation) else {}
        want = operation(*args, **{**kwargs, **known})
        if not found and not _agrees(_by_nodes(call, args, kwargs), want):
            found.append(operation.name)
        return want

    walk(model, [tf.constant(arrays[name]) for name in input_shapes(model)], reader)
    return next(iter(found), "")


def _by_nodes(call, args, kwargs):
    inputs = {}

    def node(each):
        if not tf.is_tensor(each):
            return each
        name = f"input{len(inputs)}"
        new = Node("input", name, [], tuple(each.shape[1:]), dtype=each.dtype.name)
        inputs[name] = new, each
        return new

    given = keras.tree.map_structure(node, (args, kwargs))
    results = keras.tree.flatten(read_call(call, *given))
    nodes = {name: new for name, (new, _) in inputs.items()}
    graph = Graph("one", [], nodes, {str(i): each for i, each in enumerate(results)})
    graph.prune()
    values = {name: each for name, (_, each) in inputs.items()}
    return [*compute(graph, values, own_weights(graph)).values()]


def _agrees(ours, theirs):
    pairs = zip(ours, keras.tree.flatten(theirs), strict=True)
    return all(_near(np.asarray(a), np.asarray(b)) for a, b in pairs)


def _near(ours, theirs):
    if ours.shape != theirs.shape:
        return False
    if theirs.dtype.kind in "iub":
        return bool((ours == theirs).all())
    with np.errstate(invalid="ignore"):
        allowed = NOISE[0] * theirs.std() + NOISE[1] * np.abs(theirs).max(initial=0) + 1e-30
        return bool(np.abs(ours - theirs).max(initial=0) <= allowed)


def _miswritten(graph, arrays, convert, suffix):
    """The first node whose result in a file is not what the graph computes."""
    nodes = [node for node in graph.nodes if node.inputs and node.kind != "decode"]
    names = {f"node{i}": node for i, node in enumerate(nodes)}
    every = Graph(graph.name, graph.nodes, graph.inputs, names)
    want = compute(every, {k: tf.constant(x) for k, x in arrays.items()}, own_weights(graph))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"every{suffix}"
        path.write_bytes(convert(every))
        try:
            ours = open_converted(path)(arrays)
        except ValueError:
            return _failing(graph, convert, path)
    for name, node in names.items():
        if not _near(np.asarray(ours[name]), np.asarray(want[name])):
            return node.name
    return ""


def _failing(graph, convert, path):
    """The first layer computed by Keras that does not run in a file of its own, or all of them."""
    for node in graph.nodes:
        if node.kind == "keras":
            one = alone(node)
            path.write_bytes(convert(one))
            try:
                network = open_converted(path)
                network({name: np.zeros((1, *x), np.float32) for name, x in network.inputs.items()})
            except ValueError:
                return node.settings["layer"]
    return ", ".join(graph.fallbacks)
