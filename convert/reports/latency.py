"""How long a network takes for one image, and what runs it."""

import dataclasses
import time
from collections import Counter
from collections.abc import Mapping

import numpy as np

from hrnet_tf.patches.litert import operations
from hrnet_tf.runtime.converted import TFLiteNetwork
from hrnet_tf.runtime.network import Network

WARM, FEWEST, MOST, SECONDS = 2, 10, 100, 3.0  # calls of a timing, and how long it may take


@dataclasses.dataclass(frozen=True)
class Latency:
    """Time of one image in milliseconds.

    Attributes:
        p50: half of all calls took less.
        p90: nine of ten took less.
        threads: that the network was allowed.
        calls: that were timed.
    """

    p50: float
    p90: float
    threads: int
    calls: int


@dataclasses.dataclass(frozen=True)
class Delegated:
    """What XNNPACK runs of a `.tflite` file.

    Attributes:
        parts: into which the graph falls for it; 1 is best.
        operations: that it runs.
        outside: how many of each kind TFLite runs itself.
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
    """What XNNPACK, which the interpreter uses unless told otherwise, has taken of a network."""
    # Which operations a DELEGATE replaces follows from the tensors between its ends.
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
