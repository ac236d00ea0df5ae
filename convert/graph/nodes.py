"""A network as plain nodes that can be rewired, which Keras 3 objects do not allow.

`read.read_graph` makes them of a Keras model, `fold`, `faster` and `shuffles` rewrite them, and
`compute` computes them with TensorFlow operations.
"""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Callable

import numpy as np

IMAGE_AXES = 3  # an input of three axes is an image: height, width, channels


@dataclasses.dataclass(eq=False)
class Node:
    """One operation, or one input of the network.

    Attributes:
        kind: "input", or a key of `compute.PLAIN` or `compute.WEIGHTED`.
        name: of the Keras layer or operation it comes from; of an input, the input's name.
        inputs: the nodes whose results it takes.
        shape: of its result, without the batch.
        settings: arguments of the operation, other than tensors.
        weights: "kernel" in Keras' layout and "bias", float32; "scale" and "offset" of a norm.
        dtype: of its result; all but "keras" nodes take and give float32.
    """

    kind: str
    name: str
    inputs: list[Node]
    shape: tuple[int, ...]
    settings: dict = dataclasses.field(default_factory=dict)
    weights: dict[str, np.ndarray] = dataclasses.field(default_factory=dict)
    dtype: str = "float32"

    @property
    def channels(self) -> int:
        """Length of the last axis; 1 if there is a single number for each example."""
        return self.shape[-1] if self.shape else 1


@dataclasses.dataclass
class Graph:
    """A network: nodes in an order in which they can be computed.

    Attributes:
        name: of the network.
        nodes: all of them, inputs included.
        inputs: nodes of kind "input" by name; a lone one is called "image".
        outputs: nodes whose results the network returns, by name.
    """

    name: str
    nodes: list[Node]
    inputs: dict[str, Node]
    outputs: dict[str, Node]

    @property
    def results(self) -> list[Node]:
        """The outputs as a list."""
        return [*self.outputs.values()]

    def consists_of(self, known: Callable[[Node], bool]) -> bool:
        """Whether all nodes are float and known, and each output is a node of its own, no input."""
        results = {*self.results}
        own = len(results) == len(self.outputs) and results.isdisjoint(self.inputs.values())
        return own and all(node.dtype == "float32" and known(node) for node in self.nodes)

    @property
    def fallbacks(self) -> dict[str, str]:
        """Names of the layers that Keras itself computes -> their types."""
        found = (node for node in self.nodes if node.kind == "keras")
        return {node.settings["layer"]: node.settings["type"] for node in found}

    @property
    def images(self) -> list[str]:
        """Names of the inputs that are images (height, width, channels)."""
        return [name for name, node in self.inputs.items() if len(node.shape) == IMAGE_AXES]

    def readers(self) -> dict[Node, list[Node]]:
        """For each node those that take its result; an output counts as one more reader."""
        readers = defaultdict(list)
        for node in self.nodes:
            for source in node.inputs:
                readers[source].append(node)
        for node in self.results:
            readers[node].append(node)
        return readers

    def shared(self) -> dict[Node, Node]:
        """Nodes that have the kernel of an earlier node, as calls of one layer do -> that node."""
        first, found = {}, {}
        for node in self.nodes:
            if "kernel" in node.weights:
                same = first.setdefault(node.name, node)
                if same is not node and np.array_equal(
                    same.weights["kernel"], node.weights["kernel"]
                ):
                    found[node] = same
        return found

    def replace(self, old: Node, new: Node) -> None:
        """Lets all readers of `old` take `new`."""
        for node in self.nodes:
            node.inputs = [new if source is old else source for source in node.inputs]
        self.outputs = {name: new if x is old else x for name, x in self.outputs.items()}

    def prune(self) -> None:
        """Drops the nodes and inputs that no output needs, and orders the rest."""
        ordered, seen, stack = [], set(), [(node, False) for node in reversed(self.results)]
        while stack:
            node, ready = stack.pop()
            if ready:
                ordered.append(node)
            elif node not in seen:
                seen.add(node)
                stack.append((node, True))
                stack += [(source, False) for source in reversed(node.inputs)]
        self.nodes = ordered
        self.inputs = {name: node for name, node in self.inputs.items() if node in seen}
