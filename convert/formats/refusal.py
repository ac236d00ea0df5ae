"""Which layer it is that a converter of someone else cannot write."""

import dataclasses
from collections.abc import Callable

from hrnet_tf.convert.graph.nodes import Graph, Node


def culprit(graph: Graph, convert: Callable[[Graph], object]) -> str:
    """The name and type of the first layer computed by Keras that cannot be converted alone.

    Args:
        graph: of a network that a converter refused.
        convert: converts a graph; it raises an error for those that it refuses.

    Returns:
        Such as "head: a Resizing"; empty if each such layer can be converted alone.
    """
    for node in graph.nodes:
        if node.kind == "keras":
            try:
                convert(alone(node))
            except Exception:  # converters have classes of their own for every stage
                return f"{node.settings['layer']}: a {node.settings['type']}"
    return ""


def alone(node: Node) -> Graph:
    """A network of one node."""
    names = [f"input{number}" for number in range(len(node.inputs))]
    pairs = zip(names, node.inputs, strict=True)
    inputs = {name: Node("input", name, [], each.shape, dtype=each.dtype) for name, each in pairs}
    own = dataclasses.replace(node, inputs=[*inputs.values()])
    return Graph("alone", [*inputs.values(), own], inputs, {"output": own})
