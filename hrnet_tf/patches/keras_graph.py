"""A walk through the operations of a functional model, and what Keras keeps private of them."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import keras
from keras.src import backend
from keras.src.models.functional import Functional


@dataclass(frozen=True, eq=False)
class Call:
    """One call of a layer or operation in a functional model.

    `Operation.input` and `.output` are those of the first call alone; detectors call a layer once
    for each level of their pyramid.

    Attributes:
        operation: what is called.
        inputs: its `keras.KerasTensor` inputs, flat.
        outputs: its outputs, flat.
        arguments: maps objects by the ids of the inputs to (args, kwargs) of the call.
    """

    operation: keras.Operation
    inputs: list
    outputs: list
    arguments: Callable[[dict], tuple[tuple, dict]]


def is_functional(model: object) -> bool:
    """Whether `walk` accepts a model: it is a graph of layers, and no class of its own runs it."""
    return isinstance(model, Functional) and type(model).call is Functional.call


def inner_model(operation: keras.Operation) -> keras.Model | None:
    """The functional model that is called as a layer; None if it is another layer or operation."""
    if isinstance(operation, keras.Sequential):
        operation = operation._functional
    return operation if is_functional(operation) else None


def is_masked(tensors: object) -> bool:
    """Whether any of these tensors, in any structure, carries a mask of timesteps."""
    return any(backend.get_keras_mask(x) is not None for x in keras.tree.flatten(tensors))


def calls(model: keras.Model) -> Iterator[Call]:
    """Every call in a functional model, in an order in which they can be computed."""
    for depth in sorted(model._nodes_by_depth, reverse=True):
        for node in model._nodes_by_depth[depth]:
            if not node.is_input:
                fill_in = node.arguments.fill_in
                yield Call(node.operation, node.input_tensors, node.outputs, fill_in)


def walk(model: keras.Model, inputs: Sequence, reader: Callable) -> object:
    """Runs a functional model on any objects in place of tensors; returns its outputs.

    Args:
        model: a functional model, see `is_functional`.
        inputs: objects in place of the input tensors, in the order of `model.inputs`.
        reader: `(call, args, kwargs)` -> objects in place of the outputs of a call, in any
            structure.
    """
    found = {id(tensor): each for tensor, each in zip(model.inputs, inputs, strict=True)}
    for call in calls(model):
        results = keras.tree.flatten(reader(call, *call.arguments(found)))
        for tensor, each in zip(call.outputs, results, strict=True):
            found[id(tensor)] = each
    return keras.tree.map_structure(lambda tensor: found[id(tensor)], model.output)


def flat_inputs(model: keras.Model, given: object) -> list:
    """What a functional model is called with, in the order of `model.inputs`."""
    if isinstance(given, dict) and not isinstance(model.input, dict):
        return [given[tensor.name] for tensor in model.inputs]
    if isinstance(given, dict):
        given = {name: given[name] for name in model.input}
    return keras.tree.flatten(given)


def origin(tensor: keras.KerasTensor) -> tuple[keras.Operation, list, int]:
    """What makes a tensor: the operation, the tensors that it takes, and which result it is."""
    operation, number, result = tensor._keras_history
    return operation, operation._inbound_nodes[number].input_tensors, result


def all_layers(model: keras.Model) -> list[keras.layers.Layer]:
    """The layers of a model and of models and layers in it, without those that contain others."""
    layers = model._flatten_layers(include_self=False, recursive=True)
    return [each for each in layers if not each._layers]


def has_training(layer: keras.layers.Layer) -> bool:
    """Whether a layer's call takes `training`; in some the default is True."""
    return layer._call_has_training_arg
