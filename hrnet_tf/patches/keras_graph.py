"""A walk through the operations of a functional model."""

from collections.abc import Callable, Sequence

import keras


def is_functional(model: object) -> bool:
    """Whether `walk` can go through a model."""
    return isinstance(model, keras.Model) and hasattr(model, "_run_through_graph")


def walk(model: keras.Model, inputs: Sequence, reader: Callable) -> object:
    """The outputs of a functional model with something else in place of tensors.

    Keras' own `clone_model` walks a graph by the same method, which is not public.

    Args:
        model: functional, see `is_functional`.
        inputs: in place of the input tensors, in the order of `model.inputs`.
        reader: from an operation to the function that is called in its place.
    """
    return model._run_through_graph([*inputs], operation_fn=reader)
