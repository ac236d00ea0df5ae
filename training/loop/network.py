"""Settings of a network before its first step: precision and normalization."""

import contextlib
from collections.abc import Iterator

import keras


@contextlib.contextmanager
def dtype_policy(name: str) -> Iterator[None]:
    """Layers that are created inside have this dtype policy."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(name)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def set_normalization(model: keras.Model, frozen: bool, synchronized: bool) -> None:
    """Freezes batch normalization, or synchronizes it over all devices; call it before `compile`.

    If frozen, layers use the moving statistics that they have, and neither these nor scale and
    offset change.
    """
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.trainable = not frozen
            layer.synchronized = synchronized
