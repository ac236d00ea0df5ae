"""How long a network takes for one example, and which operations XNNPACK runs."""

import dataclasses
import time
from collections import Counter
from collections.abc import Mapping

import numpy as np

from hrnet_tf.patches.litert import operations
from hrnet_tf.runtime.converted import TFLiteNetwork
from hrnet_tf.runtime.network import Network

WARM = 2  # calls before timing
FEWEST, MOST, SECONDS = 10, 100, 3.0  # timed calls, and when to stop after the fewest


@dataclasses.dataclass(frozen=True)
class Latency:
    """Time for one example in milliseconds.

    Attributes:
        p50: median of all calls.
        p90: nine of ten calls took less.
        threads: number that the network could use.
        calls: number of timed calls.
    """

    p50: float
    p90: float
    threads: int
    calls: int


@dataclasses.dataclass(frozen=True)
class Delegated:
    """How much of a `.tflite` file XNNPACK runs.

    Attributes:
        parts: number of subgraphs that it runs; 1 is best.
        operations: number of operations that it runs.
        outside: number of operations by kind that TFLite runs itself.
    """

    parts: int
    operations: int
    outside: Mapping[str, int]


def latency(network: Network, threads: int) -> Latency:
    """Times calls with one example of zeros.

    Args:
        network: what is timed; open sizes of its inputs become 256.
        threads: how many it was given; only noted.
    """
    arrays = {
        name: np.zeros((1, *(n or 256 for n in shape)), np.float32)
        for name, shape in network.inputs.items()
    }
    for _ in range(WARM):
        network(arrays)
    times = []
    end = time.perf_counter() + SECONDS
    while len(times) < FEWEST or (time.perf_counter() < end and len(times) < MOST):
        start = time.perf_counter()
        network(arrays)
        times.append(1000 * (time.perf_counter() - start))
    p50, p90 = np.percentile(times, (50, 90))
    return Latency(round(float(p50), 3), round(float(p90), 3), threads, len(times))


def delegated(network: TFLiteNetwork) -> Delegated:
    """How much of a network XNNPACK runs, which the interpreter uses by default."""
    # A DELEGATE replaces the operations between its inputs and outputs.
    every = operations(network.interpreter)
    makers = {int(i): each for each in every if not _is_part(each) for i in each["outputs"]}
    parts, inside = [each for each in every if _is_part(each)], set()
    for part in parts:
        ends, stack = set(map(int, part["inputs"])), list(map(int, part["outputs"]))
        while stack:
            tensor = stack.pop()
            if tensor in makers and tensor not in ends:
                maker = makers[tensor]
                if maker["index"] not in inside:
                    inside.add(maker["index"])
                    stack += map(int, maker["inputs"])
    outside = Counter(
        each["op_name"] for each in every if not _is_part(each) and each["index"] not in inside
    )
    return Delegated(len(parts), len(inside), dict(outside.most_common()))


def _is_part(operation):
    return operation["op_name"] == "DELEGATE"
