"""Pose networks by name or file, as functions from crops to heat maps."""

import logging
import os
from collections.abc import Callable, Mapping
from pathlib import Path

import keras
import numpy as np

from hrnet_tf.card import PoseCard, read_card
from hrnet_tf.presets import PRESETS, from_preset

LOG = logging.getLogger(__name__)


def load_pose_model(
    model: str | os.PathLike, weights: str | os.PathLike | Mapping | None = "published"
) -> tuple[keras.Model, PoseCard | None]:
    """Opens a network by name or file.

    Args:
        model: a preset, or a `.keras` file with its card beside it.
        weights: for a preset, as in `from_preset`: "published", a checkpoint, or None for random.

    Returns:
        `(model, card)`; the card is None if the file has none.

    Raises:
        OSError, ValueError: no such preset or file, or it cannot be opened.
    """
    if Path(model).suffix not in ("", ".keras"):
        raise ValueError(
            f"`model` must be a preset or a .keras file. Received: model={str(model)!r}. "
            "A checkpoint goes into `weights`, beside the preset of its architecture."
        )
    if not Path(model).suffix:
        network = from_preset(str(model), weights=weights)
        return network, PRESETS[str(model)].card
    if weights != "published":
        raise ValueError(
            "`weights` go with a preset; a .keras file has its own. "
            f"Received: weights={str(weights)!r}."
        )
    if not Path(model).is_file():
        raise FileNotFoundError(f"{model}: no such file; check its name.")
    card = read_card(model)
    try:
        return keras.models.load_model(model, compile=False), card
    except Exception as error:  # zip, HDF5 and Keras each raise their own on a damaged file
        reason = str(error).strip().split("\n")[0] or type(error).__name__
        raise ValueError(
            f"{model}: cannot be opened by Keras {keras.__version__} ({reason}). "
            "Check that it was saved by this or an older Keras, and copied whole."
        ) from error


def card_of(model: object) -> PoseCard:
    """The card to assume for a network that comes without one; raises if there is none."""
    channels = getattr(model, "output_shape", (None,))[-1]
    card = PoseCard()
    if channels != len(card.keypoints.names):
        raise ValueError(
            "`card` must say what the network's channels mean unless they are COCO's 17 joints. "
            f"Received: card=None, channels={channels}. Write one with hrnet_tf.card.write_card."
        )
    LOG.warning(
        "%s has no card: assuming COCO's keypoints, ImageNet normalisation and %s decoding.",
        getattr(model, "name", "The network"),
        card.codec.name,
    )
    return card


def crop_size(model: object, input_size: tuple[int, int] | None) -> tuple[int, int]:
    """(height, width) of the crops: the network's own, or `input_size` if it fixes none."""
    shape = getattr(model, "input_shape", None)
    size = tuple(shape[1:3]) if isinstance(shape, tuple) and len(shape) == 4 else (None, None)
    if None not in size:
        return size
    if input_size is None:
        raise ValueError(
            "`input_size` must be the (height, width) of the crops if the network does not fix it. "
            "Received: input_size=None. HRNet's usual one is (256, 192)."
        )
    return tuple(input_size)


def heatmap_function(model: keras.Model) -> Callable[[np.ndarray], np.ndarray]:
    """A Keras model as a function from crops to heat maps, NumPy to NumPy, for any batch size.

    Whatever else maps crops so, such as a `.tflite` file's interpreter, can take its place.
    """
    if keras.backend.backend() != "tensorflow":
        return model.predict_on_batch
    graph = compiled(lambda x: model(x, training=False), model.input_shape)
    return lambda crops: graph(crops).numpy()


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
