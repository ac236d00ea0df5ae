"""What prediction of many images needs whatever the task: times of stages, work ahead."""

from array import array
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np

HELD_BYTES = 2**27  # of images whose crops share a batch; three batches are under way at a time


class Timings:
    """Seconds that each stage took, image by image."""

    def __init__(self):
        self.seconds = defaultdict(lambda: array("d"))

    def add(self, stage: str, seconds: float):
        """Notes what one image cost in one stage; safe from any thread."""
        self.seconds[stage].append(seconds)

    def total(self, stage: str) -> float:
        """Seconds of all images in one stage."""
        return sum(self.seconds.get(stage, ()))

    def summary(self) -> dict[str, dict[str, float]]:
        """Per stage: images, seconds in all, median and 90th percentile per image in ms."""
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
    """Like `map`, with the next results computed meanwhile in a background thread.

    Args:
        function: of one item.
        items: what to map; one more is pulled than results are computed ahead.
        depth: how many results at most.
        weigh: bytes that the result of an item will hold; above `HELD_BYTES` in all, nothing is
            computed ahead.
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
