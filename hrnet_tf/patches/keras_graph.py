"""A walk through the operations of a functional model, and what Keras keeps private of them."""

from collections.abc import Callable, Sequence

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
