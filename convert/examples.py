"""Examples of what a network takes: arrays by name, each (N, ...) for the same N examples."""

from collections.abc import Iterator

import numpy as np

from hrnet_tf.convert.graph.nodes import Graph
from hrnet_tf.runtime.network import Arrays


def count(examples: Arrays) -> int:
    """How many examples there are."""
    return min(map(len, examples.values()), default=0)


def part(examples: Arrays, start: int, stop: int) -> dict[str, np.ndarray]:
    """The examples from number `start` up to `stop`."""
    return {name: each[start:stop] for name, each in examples.items()}


def batched(examples: Arrays, size: int) -> Iterator[dict[str, np.ndarray]]:
    """All examples, up to `size` at a time."""
    for start in range(0, count(examples), size):
        yield part(examples, start, start + size)


def batch_size(graph: Graph, pixels: int) -> int:
    """How many examples have that many pixels together; at least 1."""
    sizes = (graph.inputs[name].shape for name in graph.images)
    return max(1, pixels // max((height * width for height, width, _ in sizes), default=1))


def check_examples(graph: Graph, examples: Arrays | None) -> None:
    """Raises ValueError unless ranges can be measured on the examples."""
    shapes = {name: node.shape for name, node in graph.inputs.items()}
    found = {name: each.shape for name, each in (examples or {}).items()}
    lengths = {shape[:1] for shape in found.values()}
    if (
        {name: shape[1:] for name, shape in found.items()} != shapes
        or len(lengths) != 1
        or (0,) in lengths
    ):
        wanted = (f"{name} (N, {', '.join(map(str, each))})" for name, each in shapes.items())
        received = (f"{name} {each}" for name, each in found.items())
        raise ValueError(
            f"`examples` must be arrays {', '.join(wanted)}, N above 0, to measure the ranges on. "
            f"Received: {', '.join(received) or None}. hrnet_tf.convert.calibration makes them of "
            "photos."
        )
    for name, each in examples.items():
        same = name in graph.images and (each == each[:1, :1, :1]).all()
        if not np.isfinite(each).all() or same:
            raise ValueError(
                f"`examples` must be finite, and their images not all of one colour, to measure "
                f"ranges on. Received: {name} from {each.min()} to {each.max()}. Give real photos."
            )
