"""Keras models as functions from named arrays to named arrays."""

from collections.abc import Callable

import keras
import numpy as np

from hrnet_tf.runtime.network import Arrays, Shapes


class KerasNetwork:
    """A Keras model as a `Network`, compiled when it is first called.

    Args:
        model: functional, of one input or of several in a dictionary or list.

    Attributes:
        model: the Keras model.
        inputs: shape of each input: a lone one is "image", others go by the keys of the model's
            dictionary or by the names of their tensors.
        outputs: shape of each output: a lone one is "output", those of a list "output0", "output1",
            …, others go by their keys.
    """

    def __init__(self, model: keras.Model):
        self.model = model
        self.inputs: Shapes = {name: shape_of(each) for name, each in input_tensors(model).items()}
        self.outputs: Shapes = {
            name: shape_of(each) for name, each in named_outputs(model.output).items()
        }
        self._call = None

    def __call__(self, arrays: Arrays) -> dict[str, np.ndarray]:
        """All outputs (B, …) float32 for all inputs (B, …)."""
        if self._call is None:
            self._call = self._compiled()
        return self._call({name: arrays[name] for name in self.inputs})

    def _compiled(self):
        model = self.model

        def call(*tensors):
            return named_outputs(model(_like(model.input, tensors), training=False))

        if keras.backend.backend() != "tensorflow":
            return lambda arrays: named_outputs(
                model.predict_on_batch(_like(model.input, arrays.values()))
            )
        function = compiled(call, *((None, *shape) for shape in self.inputs.values()))
        return lambda arrays: {
            name: each.numpy() for name, each in function(*arrays.values()).items()
        }


def input_tensors(model: keras.Model) -> dict[str, object]:
    """The inputs of a functional model by the names that `KerasNetwork` gives them."""
    found = model.input
    if not isinstance(found, dict):
        found = {each.name: each for each in keras.tree.flatten(found)}
    return dict(zip(["image"], found.values(), strict=True)) if len(found) == 1 else found


def named_outputs(found: object) -> dict[str, object]:
    """What a model returns, by the names that `KerasNetwork` gives its outputs."""
    if isinstance(found, dict):
        return found
    if isinstance(found, list | tuple):
        return {f"output{number}": each for number, each in enumerate(found)}
    return {"output": found}


def shape_of(tensor: object) -> tuple[int | None, ...]:
    """The shape without the batch axis."""
    return tuple(tensor.shape[1:])


def _like(structure, values):
    """Values as the model takes them: in a dictionary, in a list, or alone."""
    if isinstance(structure, dict):  # whose order `keras.tree` does not keep
        return dict(zip(structure, values, strict=True))
    return keras.tree.pack_sequence_as(structure, [*values])


def compiled(function: Callable, *shapes: tuple) -> Callable:
    """`function` of float32 tensors of these shapes, compiled once for every batch size."""
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf  # Keras has imported it already

        # Without XLA, which on CPUs compiles for longer than it saves.
        signature = [tf.TensorSpec((None, *shape[1:]), tf.float32) for shape in shapes]
        return tf.function(function, input_signature=signature)
    if backend == "jax":
        import jax

        return jax.jit(function)
    return function
