"""Processor time of steps whose work other threads do ahead, for the benchmarks here."""

import threading
import time
from collections.abc import Callable
from pathlib import Path


def seconds(step: Callable[[], object], steps: int) -> float:
    """Processor time of one step, that of refilling the buffers included."""
    start = time.process_time()
    for _ in range(steps):
        step()
    looking, calm = time.thread_time(), 0
    while calm < 4:  # looks in a row
        time.sleep(0.01)
        calm = 0 if threads_work() else calm + 1
    looking = time.thread_time() - looking
    return (time.process_time() - start - looking) / steps


def threads_work() -> bool:
    """Whether a thread but this one runs, waits for the core, or for a disk."""
    states = []
    for task in Path("/proc/self/task").iterdir():
        if int(task.name) != threading.get_native_id():
            states.append((task / "stat").read_text().rpartition(") ")[2][0])
    return bool({"R", "D"} & set(states))
