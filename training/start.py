"""The weights that a run starts from."""

from pathlib import Path

import keras

from hrnet_tf.opening import open_network
from hrnet_tf.training.recipe import Recipe
from hrnet_tf.weights.download import download, is_url
from hrnet_tf.weights.load import CheckpointReport, load_checkpoint, weights_of


def load_weights(model: keras.Model, weights: str) -> CheckpointReport:
    """Loads weights into a model; layers of the head whose shapes differ keep random weights.

    Args:
        model: the model to be trained.
        weights: a `.keras` file, a preset, or a checkpoint: a path or an address.

    Raises:
        OSError, ValueError: the weights cannot be fetched or read, or are of another architecture.
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


def start_from_weights(network: keras.Model, recipe: Recipe) -> str:
    """Loads the `weights` of a recipe, if it has any; returns a sentence about them."""
    if not recipe.weights:
        return ""
    report = load_weights(network, recipe.weights).summary()
    return f"Starting from {recipe.weights}: {'; '.join(report.splitlines())}."
