"""The network of a run before its first step: precision and normalization."""

import contextlib
from collections.abc import Iterator

import keras


@contextlib.contextmanager
def dtype_policy(name: str) -> Iterator[None]:
    """Layers made inside have this policy."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(name)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def set_normalization(model: keras.Model, frozen: bool, synchronized: bool) -> None:
    """Before `compile`: fixes normalization, or lets it see the batches of all devices.

    Frozen, it uses the averages it has and learns nothing, its scale and offset included.
    """
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.trainable = not frozen
            layer.synchronized = synchronized
