"""A walk through the operations of a functional model, and what Keras keeps private of them."""

from collections.abc import Callable, Iterator, Sequence

import keras


def is_functional(model: object) -> bool:
    """Whether `walk` accepts a model."""
    return isinstance(model, keras.Model) and hasattr(model, "_run_through_graph")


def walk(model: keras.Model, inputs: Sequence, reader: Callable) -> object:
    """Runs a functional model on any objects in place of tensors; returns its outputs.

    Keras' `clone_model` uses the same method, which is not public.

    Args:
        model: a functional model, see `is_functional`.
        inputs: objects in place of the input tensors, in the order of `model.inputs`.
        reader: maps an operation to the function that is called in its place.
    """
    return model._run_through_graph([*inputs], operation_fn=reader)


def called_once(operation: object) -> bool:
    """Whether a layer or operation was called once, so that it has a single `output`."""
    return len(operation._inbound_nodes) == 1


def calls(model: keras.Model) -> Iterator[tuple[keras.Operation, list, list]]:
    """Every call of an operation in a functional model, with its input and output tensors.

    `Operation.input` and `.output` are those of the first call alone; detectors call a layer once
    for each level of their pyramid.
    """
    for nodes in model._nodes_by_depth.values():
        for node in nodes:
            if not node.is_input:
                yield node.operation, node.input_tensors, node.outputs
