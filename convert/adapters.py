"""The only place of convert/ that knows tasks.

Each function here is what a card or `hrnet_tf.tasks` will offer itself: `card.outputs()`,
`card.labels()`, `task_named(card.task)`, `KerasNetwork`. Then this module goes.
"""

import dataclasses
from collections.abc import Callable

import keras
import numpy as np
from keras import ops

from hrnet_tf.convert.graph.read import by_name, input_shapes
from hrnet_tf.opening import FirstOutput
from hrnet_tf.runtime.keras_model import compiled
from hrnet_tf.runtime.network import Arrays, Network, Shapes
from hrnet_tf.tasks.card import Card
from hrnet_tf.tasks.classification.card import ClassificationCard
from hrnet_tf.tasks.classification.predictor import ImageClassifier
from hrnet_tf.tasks.pose.card import PoseCard
from hrnet_tf.tasks.pose.predictor import PosePredictor
from hrnet_tf.tasks.segmentation.card import SegmentationCard
from hrnet_tf.tasks.segmentation.predictor import SegmentationPredictor

NAMES = {"heat maps": "heatmaps", "logits": "logits"}
DEFAULT = ClassificationCard  # cuts pictures for networks that no card describes


def card_inputs(card: Card) -> Shapes:
    """Shapes of the inputs that a card describes, by name: `card.inputs()`."""
    return {"image": (None, None, 3)}


def card_outputs(card: Card) -> Shapes:
    """Shapes of the outputs that a card describes, by name: `card.outputs()`."""
    return {NAMES[card.output]: (*[None] * (card.rank - 2), card.channels)}


def card_labels(card: Card) -> tuple[str, ...]:
    """Names of keypoints or classes: `card.labels()`."""
    return card.keypoints.names if isinstance(card, PoseCard) else card.classes


def card_returns(card: Card) -> str:
    """What the network returns, in words: `card.returns`."""
    return card.output


def wants_boxes(card: Card) -> bool:
    """Whether the task predicts box by box: `task_named(card.task).wants_boxes`."""
    return isinstance(card, PoseCard)


def predictor(network: Network, card: Card | None, **options):
    """The predictor of the card's task: `task_named(card.task).predictor(network, card, options)`.

    A network without a card is taken for the default's, or for what its outputs say.
    """
    kinds = {SegmentationCard: SegmentationPredictor, ClassificationCard: ImageClassifier}
    return kinds.get(type(card), PosePredictor)(_as_called(network), card, **options)


def _as_called(network):
    """Keras models as they are, other networks as functions from images to their first output."""
    return network.model if isinstance(network, KerasNetwork) else FirstOutput(network)


@dataclasses.dataclass(frozen=True)
class Decoder:
    """A further output that is computed from the one that a card describes.

    Attributes:
        name: of the output.
        shape: of the output, without the batch.
        meaning: of its numbers, in words.
        function: maps the network's output to it, by `keras.ops`.
    """

    name: str
    shape: tuple[int, ...]
    meaning: str
    function: Callable


def decoder(card: Card | None) -> Decoder | None:
    """What `--decode` adds to a network of this card: `card.decoder()`; None if nothing."""
    if not isinstance(card, PoseCard):
        return None

    def decode(maps):
        points, scores = card.codec.decode(maps)
        return ops.concatenate([points, scores[..., None]], -1)

    meaning = "of each keypoint x and y in pixels of the image, and score"
    return Decoder("keypoints", (len(card.keypoints.names), 3), meaning, decode)


class KerasNetwork:
    """A Keras model as a `Network`; will be `hrnet_tf.runtime.keras_model.KerasNetwork`."""

    def __init__(self, model: keras.Model):
        self.model = model
        self.inputs = input_shapes(model)
        self.outputs = {name: tuple(x.shape[1:]) for name, x in by_name(model.output).items()}
        shapes = [each.shape for each in model.inputs]
        self._call = compiled(self._returned, *shapes)

    def _returned(self, *tensors):
        packed = keras.tree.pack_sequence_as(self.model.input, tensors)
        return by_name(self.model(packed, training=False))

    def __call__(self, arrays: Arrays) -> dict[str, np.ndarray]:
        """All outputs by name."""
        found = self._call(*(arrays[name] for name in self.inputs))
        return {name: ops.convert_to_numpy(each) for name, each in found.items()}
