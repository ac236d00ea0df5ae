"""The network of a run before its first step: precision, normalization, weights to start from."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import keras

from hrnet_tf.opening import open_network
from hrnet_tf.weights.download import download, is_url
from hrnet_tf.weights.load import CheckpointReport, load_checkpoint, weights_of


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


def load_weights(model: keras.Model, weights: str) -> CheckpointReport:
    """Loads what a recipe starts from; parts of the head that do not fit start anew.

    Args:
        model: to be trained.
        weights: a `.keras` file, a preset, or a checkpoint: a path or an address.

    Raises:
        OSError, ValueError: it cannot be had or read, or is of another architecture.
    """
    if is_url(weights):
        weights = str(download(weights))
    source = weights
    if Path(weights).suffix in ("", ".keras"):
        source = weights_of(open_network(weights).model)
    report = load_checkpoint(model, source, allow_head_mismatch=True)
    if not report.loaded:
        raise ValueError(
            f"`weights` must fit the network. Received: weights={weights}, of which nothing does."
        )
    return report
