"""The predictor of whatever task a network is for."""

import os
from collections.abc import Mapping

import keras

from hrnet_tf.cards.card import Card
from hrnet_tf.opening import as_network, open_network, refuse_precision, with_scores
from hrnet_tf.tasks import task_named


def predictor(
    model: object,
    *,
    card: Card | None = None,
    weights: str | os.PathLike | Mapping | None = "published",
    precision: str = "float32",
    **options: object,
) -> object:
    """The predictor of a network's task.

    Args:
        model: a preset, a `.keras`, `.h5`, `.tflite` or `.onnx` file, the folder of a run, or a
            Keras model.
        card: what its outputs mean; by default the preset's, or the one beside the file.
        weights: for a preset, as in `from_preset`.
        precision: "bfloat16" lets a Keras network compute its convolutions in 16 bits: faster on
            CPUs that have instructions for it, and less exact.
        options: fields of the task's options, such as `flip=True`; `hrnet-tf predict --help`
            lists them as flags.

    Returns:
        A function of an image (H, W, 3) uint8 RGB: `PosePredictor`, `DetectionPredictor`,
        `SegmentationPredictor`, `ImageClassifier`.

    Raises:
        OSError, ValueError: the model cannot be opened, it has no card, or an option is unknown.
    """
    if isinstance(model, str | os.PathLike | keras.Model):
        opened = open_network(model, weights, precision=precision)
        network, card, name = opened.network, card or opened.card, opened.name
        card = with_scores(card, opened.model) if opened.model else card
    else:
        network, name = as_network(model, card), getattr(model, "name", "the network")
        refuse_precision(precision, name)
    if card is None:
        raise ValueError(
            f"`card` must say what the outputs of {name} mean. Received: card=None. Pass one, such "
            "as hrnet_tf.PoseCard(), or write it beside the file with hrnet_tf.write_card."
        )
    task = task_named(card.task)
    chosen = task.chosen(options)
    try:
        return task.predictor(network, card, chosen)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from error
