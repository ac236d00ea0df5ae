"""Keras models as graphs of nodes."""

from collections.abc import Sequence

import keras
import numpy as np

from hrnet_tf.convert.graph.layers.fallback import fallback, weights_of
from hrnet_tf.convert.graph.layers.table import EQUAL, known
from hrnet_tf.convert.graph.nodes import Graph, Node
from hrnet_tf.patches.keras_graph import Call, flat_inputs, has_training, is_functional, walk
from hrnet_tf.runtime.keras_model import functional, in_float32, input_shapes, named_outputs

IMAGES = 3  # a batch, to see which axis of a result it becomes


def read_graph(model: keras.Model, outputs: Sequence[str] | None = None) -> Graph:
    """The graph of a Keras 3 model of fixed size, float32 whatever its precision.

    Models that are called as layers are read as the layers that they have. Layers that `compute`
    does not know become nodes of the kind "keras", which Keras computes; see `Graph.fallbacks`.

    Args:
        model: functional or sequential, with any number of inputs and outputs.
        outputs: names of the outputs to keep, such as those that a card describes; others are for
            training. All if None. A lone output takes a lone name.

    Raises:
        ValueError: an open size, a model that is not functional, an output that it has not, a layer
            that cannot be read, weights that are not finite.
    """
    model = in_float32(functional(model))
    inputs = input_shapes(model)
    if any(None in shape or not shape for shape in inputs.values()):
        raise ValueError(
            f"`model` must fix the size of its inputs. Received: inputs={inputs}. Build it with a "
            "height and a width."
        )
    nodes = {name: Node("input", name, [], shape) for name, shape in inputs.items()}
    given = [_cast(node, x) for node, x in zip(nodes.values(), model.inputs, strict=True)]
    found = named_outputs(walk(model, given, read_call))
    graph = Graph(model.name, [], nodes, _kept(found, outputs))
    graph.prune()  # finds the nodes from the outputs
    if graph.fallbacks and keras.backend.backend() != "tensorflow":
        name, kind = next(iter(graph.fallbacks.items()))
        raise ValueError(
            f"{name}: a {kind} is converted by Keras itself, with KERAS_BACKEND=tensorflow only."
        )
    return graph


def _kept(found, names):
    """The outputs with these names; a lone output takes a lone name."""
    if names is None:
        return found
    if len(names) == len(found) == 1:
        return dict(zip(names, found.values(), strict=True))
    missing = [name for name in names if name not in found]
    if missing:
        raise ValueError(
            f"`outputs` must be some of those of the network, {', '.join(found)}. "
            f"Received: {missing[0]!r}, from its card. Use the card that the network was trained "
            f"with, or name its outputs: keras.Model(inputs, {{{missing[0]!r}: …}})."
        )
    return {name: found[name] for name in names}


def _cast(node, tensor):
    """An input as the model takes it: Keras casts what it is given to the input's type."""
    dtype = keras.backend.standardize_dtype(tensor.dtype)
    if "float" in dtype:
        return node
    cast = keras.ops.cast
    name = f"{node.name}.cast"
    return fallback(name, f"cast to {dtype}", [node], node.shape, lambda x: cast(x, dtype), dtype)


def read_call(call: Call, args: tuple, kwargs: dict) -> object:
    """The node, or nodes, that compute the same as one call of a Keras 3 layer or operation.

    Args:
        call: of `patches.keras_graph.calls`.
        args: its arguments, nodes in place of tensors.
        kwargs: likewise.

    Raises:
        ValueError: it cannot be read; the sentence begins with the name of the layer.
    """
    operation = call.operation
    if isinstance(operation, keras.Sequential) or is_functional(operation):
        inner = functional(operation)
        return walk(inner, flat_inputs(inner, args[0] if args else kwargs["inputs"]), read_call)
    kind = type(operation)
    if kind.__name__ in EQUAL and kind.__module__.startswith("keras."):
        return args[0] if args else kwargs["inputs"]
    try:
        return _read(call, args, kwargs)
    except Exception as error:  # a layer's own code may raise anything
        text = str(error).strip().split("\n")[0] or type(error).__name__
        text = text if operation.name in text else f"{operation.name}: {text}"
        if not isinstance(error, ValueError):
            text = f"{operation.name}: a {kind.__name__} cannot be converted ({text})."
        raise ValueError(text) from error


def _read(call, args, kwargs):
    operation = call.operation
    results = _results(call, args, kwargs)
    shape = tuple(results[0].shape[1:])
    sources = [*args]
    if len(args) == 1 and isinstance(args[0], list | tuple):
        sources = [*args[0]]  # of a merge
    plain = not {name for name, each in kwargs.items() if each is not None} - {"training", "mask"}
    plain &= kwargs.get("mask") is None
    nodes = [each for each in keras.tree.flatten((args, kwargs)) if isinstance(each, Node)]
    way = known(operation) if plain and {each.dtype for each in nodes} == {"float32"} else None
    found = way and way.read(operation, sources, shape)
    if found is None or not _computable(found):
        found = _by_keras(operation, args, kwargs, nodes, results)
    return found


def _computable(node):
    """Whether `compute` takes this product; it knows the common ones alone."""
    if not isinstance(node, Node) or node.kind != "einsum":
        return True
    from hrnet_tf.convert.graph.compute import apply

    try:
        apply(node, None, [np.zeros((1, *each.shape), np.float32) for each in node.inputs])
    except ValueError:
        return False
    return True


def _results(call, args, kwargs):
    """The results of a call as `keras.KerasTensor`s."""
    nodes = [each for each in keras.tree.flatten((args, kwargs)) if isinstance(each, Node)]
    shapes = [tuple(each.shape[1:]) for each in call.inputs]
    same = shapes == [node.shape for node in nodes]
    if same and not any(None in each.shape[1:] for each in call.outputs):
        return call.outputs
    # A model that is called as a layer may get another size than it was built for.
    return _traced(call.operation, args, kwargs, None)


def _traced(operation, args, kwargs, batch):
    """The results of a call for a number of images, as `keras.KerasTensor`s."""
    args, kwargs = keras.tree.map_structure(
        lambda each: (
            keras.KerasTensor((batch, *each.shape), each.dtype) if isinstance(each, Node) else each
        ),
        (args, kwargs),
    )
    return keras.tree.flatten(operation.compute_output_spec(*args, **kwargs))


def _by_keras(operation, args, kwargs, nodes, results):
    """Nodes that Keras computes, one for each result."""
    layer = isinstance(operation, keras.layers.Layer)
    if layer:
        weights_of(operation)  # they must be finite
    trains = layer and has_training(operation)

    def computed(number):
        def function(*tensors):
            left = iter(tensors)
            filled = keras.tree.map_structure(
                lambda each: next(left) if isinstance(each, Node) else each, (args, kwargs)
            )
            given = {**filled[1], "training": False} if trains else filled[1]
            return keras.tree.flatten(operation(*filled[0], **given))[number]

        return function

    found, name, kind = [], operation.name, type(operation).__name__
    alone = _traced(operation, args, kwargs, IMAGES)
    for number, (result, each) in enumerate(zip(results, alone, strict=True)):
        if None in result.shape[1:] or each.shape[:1] != (IMAGES,):
            raise ValueError(
                f"{name}: a {kind} cannot be converted: its result {tuple(result.shape)} has no "
                "axis of images, or an open size."
            )
        dtype = keras.backend.standardize_dtype(result.dtype)
        own = f"{name}.{number}" if len(results) > 1 else name
        shape = tuple(result.shape[1:])
        found.append(fallback(own, kind, nodes, shape, computed(number), dtype))
    return found
