"""Keras models as functions of arrays."""

from collections.abc import Callable

import keras
import numpy as np


def fixed_size(model: object) -> tuple[int, int] | None:
    """(height, width) of the only images a network takes, None if it takes several or is silent."""
    shape = getattr(model, "input_shape", None)
    size = tuple(shape[1:3]) if isinstance(shape, tuple) and len(shape) == 4 else (None, None)
    return None if None in size else size


def network_function(model: object) -> Callable[[np.ndarray], np.ndarray]:
    """A network as a function from images (B, H, W, 3) to its main output, NumPy to NumPy.

    Of several outputs "logits" is the main one. Whatever is not a Keras model is returned as it is.
    """
    if not isinstance(model, keras.Model):
        return model
    if keras.backend.backend() != "tensorflow":
        return lambda images: _main(model.predict_on_batch(images))

    def call(images):
        return _main(model(images, training=False))

    graph = compiled(call, model.input_shape)
    return lambda images: graph(images).numpy()


def output_shape(model):
    """Shape of the main output; None if the model does not tell."""
    if not isinstance(model, keras.Model):
        return getattr(model, "output_shape", None)
    output = _main(model.output)
    return None if output is None or isinstance(output, list) else output.shape


def _main(outputs):
    """The output, or of several the one called "logits"."""
    return outputs.get("logits") if isinstance(outputs, dict) else outputs


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
