"""Nodes that Keras itself computes."""

import keras
import numpy as np

from hrnet_tf.convert.graph.nodes import Node


def fallback(name, kind, sources, shape, function, dtype="float32") -> Node:
    """A node that Keras computes.

    Args:
        name: of the layer.
        kind: its type, for messages.
        sources: the nodes that it takes.
        shape: of its result, without the batch.
        function: maps the tensors of its sources to its result.
        dtype: of its result.
    """
    settings = {"function": function, "type": kind, "layer": name}
    return Node("keras", name, [*sources], shape, settings, {}, dtype)


def weights_of(layer: keras.layers.Layer) -> dict[str, np.ndarray]:
    """The weights of a layer by name, float32.

    Raises:
        ValueError: they are not finite.
    """
    values = {weight.name: np.asarray(weight, np.float32) for weight in layer.weights}
    if not all(np.isfinite(value).all() for value in values.values()):
        raise ValueError(
            f"The weights of {layer.name} are not finite. Load the checkpoint again, or go back to "
            "one from before the training broke."
        )
    return values
