"""Helpers of predictors that work on many images: times of stages, computing ahead."""

from array import array
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np

HELD_BYTES = 2**27  # limit for the images of one batch of crops; three batches exist at a time


class Timings:
    """Seconds that each stage took, image by image."""

    def __init__(self):
        self.seconds = defaultdict(lambda: array("d"))

    def add(self, stage: str, seconds: float):
        """Adds the seconds that one image took in one stage; may be called from any thread."""
        self.seconds[stage].append(seconds)

    def reset(self) -> None:
        """Forgets all that was added."""
        self.seconds.clear()

    def total(self, stage: str) -> float:
        """Seconds that all images took in one stage."""
        return sum(self.seconds.get(stage, ()))

    def summary(self) -> dict[str, dict[str, float]]:
        """For each stage: images, total seconds, median and 90th percentile per image in ms."""
        return {
            stage: {
                "images": len(values),
                "total_s": sum(values),
                "p50_ms": 1e3 * float(np.percentile(values, 50)),
                "p90_ms": 1e3 * float(np.percentile(values, 90)),
            }
            for stage, values in self.seconds.items()
        }


def ahead(
    function: Callable, items: Iterable, depth: int = 2, weigh: Callable = lambda item: 0
) -> Iterator:
    """Like `map`, but a background thread computes the next results while the caller uses one.

    Args:
        function: is called with each item.
        items: are read at most `depth + 1` ahead.
        depth: at most so many results are computed ahead.
        weigh: bytes that the result of an item will hold; while pending results hold more than
            `HELD_BYTES` in all, no further item is read.
    """
    with ThreadPoolExecutor(1) as pool:
        results, held = deque(), 0
        for item in items:
            results.append((pool.submit(function, item), weigh(item)))
            held += results[-1][1]
            while results and (len(results) > depth or held > HELD_BYTES):
                result, weight = results.popleft()
                held -= weight
                yield result.result()
        while results:
            yield results.popleft()[0].result()
