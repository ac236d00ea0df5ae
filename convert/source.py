"""What a conversion starts from: a network of ours or anyone's, as a graph of fixed size."""

import dataclasses
import functools
import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np

from hrnet_tf.convert.graph.compute import decode
from hrnet_tf.convert.graph.faster import faster
from hrnet_tf.convert.graph.nodes import Graph, Node, fold_norms, merge_resizes, read_graph
from hrnet_tf.opening import known_card, load_network
from hrnet_tf.presets import find_preset, from_preset
from hrnet_tf.runtime.keras_model import compiled, fixed_size
from hrnet_tf.tasks.card import Card
from hrnet_tf.weights.download import download, is_url

OUTPUTS = {"pose": "heatmaps", "segmentation": "logits", "classification": "logits"}


def compiled_model(model: keras.Model) -> Callable:
    """A model as a function; called as it is, Keras keeps every result until the last one."""
    return compiled(lambda images: model(images, training=False), model.input_shape)


def as_in_file(found) -> list[np.ndarray]:
    """What a converted file gives of a network's outputs: "logits" alone, or all in its order."""
    if isinstance(found, dict) and "logits" in found:
        found = found["logits"]
    return [np.asarray(each) for each in keras.tree.flatten(found)]


@dataclasses.dataclass(frozen=True)
class Source:
    """A network to convert.

    Attributes:
        model: the Keras model, of a fixed input size.
        graph: the same with normalization folded into the convolutions; its outputs have names.
        card: what its maps or logits mean; None if nothing says so.
        name: what it was called: a preset, or a path.
        sha256: of the file that its weights come from; empty for random ones.
    """

    model: keras.Model
    graph: Graph
    card: Card | None
    name: str
    sha256: str

    def outputs(self, images: np.ndarray) -> list[np.ndarray]:
        """What the converted file must return for images (B, H, W, 3), in its order."""
        found = as_in_file(self._compiled(images))
        added = [node for node in self.graph.results if node.kind == "decode"]
        return found + [np.asarray(decode(node, found[0])) for node in added]

    @functools.cached_property
    def _compiled(self):
        return compiled_model(self.model)

    @property
    def input_size(self) -> tuple[int, int]:
        """(height, width) of its images."""
        return fixed_size(self.model)


def open_source(
    model: str | os.PathLike,
    weights: str | os.PathLike | None = "published",
    size: tuple[int, int] | None = None,
) -> Source:
    """Opens a network and reads its graph, float32 whatever its precision.

    Args:
        model: a preset or a `.keras` file, of this package or not, with its card beside it if any.
        weights: for a preset: "published", a checkpoint, or None for random ones.
        size: (height, width) of the images; the network's own if None.

    Raises:
        OSError, ValueError: it cannot be had, opened or converted, or not in this size.
    """
    if Path(model).suffix not in ("", ".keras"):
        raise ValueError(
            f"`model` must be a preset or a .keras file. Received: model={str(model)!r}. "
            "A checkpoint goes into `weights`, beside the preset of its architecture."
        )
    if Path(model).suffix:
        network, card = load_network(model, weights)
        network = _resized(network, size, model)
        file = Path(model)
    else:
        preset = find_preset(str(model))
        network, file = _from_preset(preset, weights, size), _weight_file(preset, weights)
        card = known_card(model)
    try:
        graph = faster(merge_resizes(fold_norms(read_graph(network))))
    except ValueError as error:
        raise ValueError(f"{model}: {error}") from error
    if not isinstance(graph.outputs, dict):
        name = OUTPUTS.get(card and card.task, "output")
        graph.outputs = {name: graph.outputs}
    return Source(network, graph, card, str(model), _sha256(file))


def with_keypoints(source: Source) -> Source:
    """The source with a second output: what its codec reads from the maps, (B, K, 3).

    Raises:
        ValueError: it is no pose network with a card.
    """
    codec = getattr(source.card, "codec", None)
    if codec is None:
        raise ValueError(
            f"`decode` needs a pose network with its card. Received: {source.name}. Leave it out, "
            "or write the card with hrnet_tf.write_card."
        )
    (maps,) = source.graph.results
    shape = (len(source.card.keypoints.names), 3)
    points = Node("decode", "keypoints", [maps], shape, {"codec": codec})
    graph = dataclasses.replace(
        source.graph,
        nodes=[*source.graph.nodes, points],
        outputs={**source.graph.outputs, "keypoints": points},
    )
    return dataclasses.replace(source, graph=graph)


def _from_preset(preset, weights, size):
    shape = None if size is None else (*size, 3)
    try:
        return from_preset(preset.name, weights, shape)
    except OSError as error:
        if weights != "published":
            raise
        raise OSError(
            f"{preset.name}: its published weights could not be had. Give the file by "
            f"--weights=FILE, or a network of your own by --model=FILE.keras. ({error})"
        ) from error


def _weight_file(preset, weights) -> Path | None:
    """Where the weights of a preset lie, those fetched already included."""
    if weights == "published":
        return download(preset.url, preset.sha256)
    if weights is None or is_url(weights):
        return weights and download(weights)
    return Path(weights)


def _sha256(file: Path | None) -> str:
    if file is None:
        return ""
    with open(file, "rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _resized(network: keras.Model, size, name) -> keras.Model:
    """The same layers around images of another size, or of a fixed one."""
    if isinstance(network, keras.Sequential):
        network = keras.Model(network.inputs, network.outputs, name=network.name)
    shape = getattr(network, "input_shape", None)
    if not isinstance(shape, tuple) or len(shape) != 4:
        return network  # `read_graph` says what is wrong
    height, width = size or shape[1:3]
    if None in (height, width):
        raise ValueError(
            f"{name}: takes images of any size, a converted file of one. Name it, such as "
            "--size=256x192."
        )
    if (height, width) == shape[1:3]:
        return network
    image = keras.Input((height, width, shape[3]), name="image")
    try:
        copy = keras.models.clone_model(network, input_tensors=image)
        for layer in network.layers:
            if layer.weights:
                copy.get_layer(layer.name).set_weights(layer.get_weights())
    except Exception as error:  # every layer has its own way to say that a shape does not fit
        raise ValueError(
            f"{name}: cannot be rebuilt for images of {height}x{width}; its layers know their size."
            " Build it for that size, or name its preset and give --weights."
        ) from error
    return copy
