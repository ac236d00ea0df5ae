"""`Source`: the network that a conversion starts from, ours or not, as a graph of fixed size."""

import dataclasses
import functools
import os
from pathlib import Path

import keras
import numpy as np

from hrnet_tf.cards.card import Card
from hrnet_tf.convert.graph.faster import faster
from hrnet_tf.convert.graph.fold import fold_factors, fold_norms, merge_resizes
from hrnet_tf.convert.graph.nodes import Graph, Node
from hrnet_tf.convert.graph.read import read_graph
from hrnet_tf.opening import as_network, open_network, with_scores
from hrnet_tf.runtime.keras_model import KerasNetwork, in_float32, input_shapes, named_outputs
from hrnet_tf.runtime.network import Arrays, Shapes
from hrnet_tf.tasks import task_named


@dataclasses.dataclass(frozen=True)
class Source:
    """A network to convert.

    Attributes:
        model: the Keras model, of fixed input sizes, in float32 whatever the file's precision.
        graph: the same network with normalization folded into the convolutions, without the outputs
            that its card calls `training_only`.
        card: how to feed the network and read its outputs; None if it has no card.
        name: the preset or path that it was opened by.
        sha256: SHA-256 of the file with its weights; empty for random weights.
    """

    model: keras.Model
    graph: Graph
    card: Card | None
    name: str
    sha256: str

    def __call__(self, arrays: Arrays) -> dict[str, np.ndarray]:
        """Computes the outputs that the converted file must return, by name.

        Args:
            arrays: inputs by name, each (B, ...).
        """
        found, outputs = self._network(arrays), self.graph.outputs
        if len(found) == 1:  # the card names the only output
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
    def decoded(self) -> set[str]:
        """Names of the outputs that the card's decoder computes."""
        return {name for name, node in self.graph.outputs.items() if node.kind == "decode"}

    @property
    def left_out(self) -> list[str]:
        """Names of the network's outputs that the file does not have."""
        found = [*named_outputs(self.model.output)]
        return [name for name in found if name not in self.graph.outputs and len(found) > 1]

    @property
    def inputs(self) -> Shapes:
        """Shapes of its inputs, without the batch, by name."""
        return input_shapes(self.model)

    @property
    def input_size(self) -> tuple[int, int]:
        """(height, width) of its images."""
        return self.inputs["image"][:2]


def open_source(
    model: str | os.PathLike | keras.Model,
    weights: str | os.PathLike | None = "published",
    size: tuple[int, int] | None = None,
    card: Card | None = None,
    integers: bool = False,
) -> Source:
    """Opens a network that is converted as a whole; arguments and errors as of `open_sources`."""
    found = open_sources(model, weights, size, card, integers)
    if len(found) > 1:
        raise ValueError(
            f"{model}: is converted in the parts {', '.join(found)}, which this command does not "
            "take. Use to_tflite.py or to_onnx.py."
        )
    (source,) = found.values()
    return source


def open_sources(
    model: str | os.PathLike | keras.Model,
    weights: str | os.PathLike | None = "published",
    size: tuple[int, int] | None = None,
    card: Card | None = None,
    integers: bool = False,
) -> dict[str, Source]:
    """Opens a network and reads its graph, which is float32 for any precision of the network.

    Args:
        model: a preset; a `.keras` or `.h5` file or the folder of a run, whose card is read if it
            lies beside the file; or a Keras model.
        weights: for a preset: "published", a checkpoint, or None for random weights.
        size: (height, width) of the images; the network's own if None.
        card: how to feed the network, in place of its own card.
        integers: the file will compute in integers, in which other graphs are the faster ones.

    Returns:
        The parts that become files, by name: "image" alone for most networks. Only "image" has the
        network's card.

    Raises:
        OSError, ValueError: it cannot be fetched, opened or converted, or not in this size.
    """
    opened, model = _opened(model, weights, size), name_of(model)
    if opened.model is None:
        raise ValueError(
            f"{model}: is a converted file, whose layers are not known any more. Convert the "
            "network that it was made from."
        )
    card = with_scores(card, opened.model) if card else opened.card
    network = _resized(_in_float32(opened.model, model), size, model)
    facts = opened.name, opened.sha256
    try:
        if card:
            card.check_inputs(input_shapes(network))
            card.check(as_network(network, card).outputs)
        parts = task_named(card.task).parts(network, card) if card else {}
        if not parts:
            graph = faster(plain_graph(network, card), integers)
            return {"image": Source(network, graph, card, *facts)}
        graphs = {name: faster(plain_graph(part, None), integers) for name, part in parts.items()}
    except ValueError as error:
        raise ValueError(f"{model}: {error}") from error
    return {
        name: Source(part, graphs[name], card if name == "image" else None, *facts)
        for name, part in parts.items()
    }


def plain_graph(model: keras.Model, card: Card | None) -> Graph:
    """The graph of all outputs but those for training, with normalization folded.

    The card says which ones these are.

    Raises:
        ValueError: the model cannot be converted, or lacks an output that the card describes.
    """
    outputs = [*card.outputs()] if card else None
    found = [*named_outputs(model.output)]
    if card and len(found) > 1:
        others = [name for name in found if name not in (*outputs, *card.training_only)]
        outputs += others
    return merge_resizes(fold_factors(fold_norms(read_graph(model, outputs))))


def with_decoded(source: Source) -> Source:
    """The source with one more output: the card's decoder applied to the network's output.

    Raises:
        ValueError: there is no card, or the card has no decoder.
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


def name_of(model: str | os.PathLike | keras.Model) -> str:
    """The preset or path, or the name of a Keras model."""
    return model.name if isinstance(model, keras.Model) else os.fspath(model)


def _opened(model, weights, size):
    shape = None if size is None else (*size, 3)
    try:
        return open_network(model, weights, input_shape=shape)
    except OSError as error:
        if weights != "published" or Path(name_of(model)).suffix:
            raise
        raise OSError(
            f"{model}: its published weights could not be had. Give the file by "
            f"--weights=FILE, or a network of your own by --model=FILE.keras. ({error})"
        ) from error


def _in_float32(network, name):
    try:
        return in_float32(network)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from error


def _resized(network: keras.Model, size, name) -> keras.Model:
    """The same layers for images of another size, or of a fixed size if the network takes any."""
    shapes = input_shapes(network)
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
    except Exception as error:  # layers raise different errors if a shape does not fit
        raise ValueError(
            f"{name}: cannot be rebuilt for images of {height}x{width}; its layers know their size."
            " Build it for that size, or name its preset and give --weights."
        ) from error
    return copy
