"""What a conversion starts from: a network of ours or of others, as a graph of fixed size."""

import dataclasses
import functools
import os
from pathlib import Path

import keras
import numpy as np

from hrnet_tf.cards.card import Card
from hrnet_tf.convert.graph.faster import faster
from hrnet_tf.convert.graph.fold import fold_norms, merge_resizes
from hrnet_tf.convert.graph.nodes import Graph, Node
from hrnet_tf.convert.graph.read import read_graph
from hrnet_tf.opening import open_network
from hrnet_tf.runtime.keras_model import KerasNetwork, input_shapes
from hrnet_tf.runtime.network import Arrays, Shapes


@dataclasses.dataclass(frozen=True)
class Source:
    """A network to convert.

    Attributes:
        model: the Keras model, of fixed input sizes.
        graph: the same with normalization folded into the convolutions, and the outputs that its
            card describes; all outputs without a card.
        card: how to feed it and what its outputs mean; None if nothing says so.
        name: how it was asked for: a preset, or a path.
        sha256: of the file that its weights come from; empty for random ones.
    """

    model: keras.Model
    graph: Graph
    card: Card | None
    name: str
    sha256: str

    def __call__(self, arrays: Arrays) -> dict[str, np.ndarray]:
        """What the converted file must return, by name.

        Args:
            arrays: (B, ...) for each input by name.
        """
        found, outputs = self._network(arrays), self.graph.outputs
        if len(found) == 1:  # a lone output has its name from the card
            found = dict(zip(outputs, found.values(), strict=False))
        names = {node: name for name, node in outputs.items()}
        for name, node in outputs.items():
            if node.kind == "decode":
                found[name] = np.asarray(node.settings["function"](found[names[node.inputs[0]]]))
        return {name: found[name] for name in outputs}

    @functools.cached_property
    def _network(self):
        return KerasNetwork(self.model)

    @property
    def inputs(self) -> Shapes:
        """Shapes of its inputs, without the batch, by name."""
        return input_shapes(self.model)

    @property
    def input_size(self) -> tuple[int, int]:
        """(height, width) of its images."""
        return self.inputs["image"][:2]


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
    opened = _opened(model, weights, size)
    network = _resized(opened.model, size, model)
    try:
        graph = plain_graph(network, opened.card)
    except ValueError as error:
        raise ValueError(f"{model}: {error}") from error
    return Source(network, faster(graph), opened.card, opened.name, opened.sha256)


def plain_graph(model: keras.Model, card: Card | None) -> Graph:
    """The graph of the outputs that a card describes, all without one; normalization is folded.

    Raises:
        ValueError: it cannot be converted, or has not these outputs.
    """
    outputs = [*card.outputs()] if card else None
    return merge_resizes(fold_norms(read_graph(model, outputs)))


def with_decoded(source: Source) -> Source:
    """The source with a further output, decoded from the one that its card describes.

    Raises:
        ValueError: its card says of nothing that it can be decoded.
    """
    found = source.card and source.card.decoder()
    if found is None:
        raise ValueError(
            "`decode` needs a network whose card says how, as those of pose networks do. "
            f"Received: {source.name}. Leave it out, or write the card with hrnet_tf.write_card."
        )
    maps = source.graph.outputs[found.source]
    node = Node("decode", found.name, [maps], found.shape, {"function": found.function})
    graph = dataclasses.replace(
        source.graph,
        nodes=[*source.graph.nodes, node],
        outputs={**source.graph.outputs, found.name: node},
    )
    return dataclasses.replace(source, graph=graph)


def _opened(model, weights, size):
    shape = None if size is None else (*size, 3)
    try:
        return open_network(model, weights, input_shape=shape)
    except OSError as error:
        if weights != "published" or Path(model).suffix:
            raise
        raise OSError(
            f"{model}: its published weights could not be had. Give the file by "
            f"--weights=FILE, or a network of your own by --model=FILE.keras. ({error})"
        ) from error


def _resized(network: keras.Model, size, name) -> keras.Model:
    """The same layers around images of another size, or of a fixed one."""
    if isinstance(network, keras.Sequential):
        network = keras.Model(network.inputs, network.outputs, name=network.name)
    shapes = input_shapes(network) if isinstance(network, keras.Model) else {}
    if len(shapes.get("image", ())) != 3:
        return network  # `read_graph` says if it cannot be converted
    height, width = size or shapes["image"][:2]
    if None in (height, width):
        raise ValueError(
            f"{name}: takes images of any size, a converted file of one. Name it, such as "
            "--size=256x192."
        )
    if (height, width) == shapes["image"][:2]:
        return network
    shapes["image"] = (height, width, shapes["image"][2])
    inputs = [keras.Input(shape, name=each) for each, shape in shapes.items()]
    try:
        packed = keras.tree.pack_sequence_as(network.input, inputs)
        copy = keras.models.clone_model(network, input_tensors=packed)
        for layer in network.layers:
            if layer.weights:
                copy.get_layer(layer.name).set_weights(layer.get_weights())
    except Exception as error:  # every layer has its own way to say that a shape does not fit
        raise ValueError(
            f"{name}: cannot be rebuilt for images of {height}x{width}; its layers know their size."
            " Build it for that size, or name its preset and give --weights."
        ) from error
    return copy
