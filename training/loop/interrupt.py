"""Ctrl-C, and the signal by which clusters take a machine back: end after the step under way."""

import contextlib
import signal
import sys
import threading
from collections.abc import Iterator

SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextlib.contextmanager
def asked_to_stop() -> Iterator[threading.Event]:
    """An event that the first SIGINT or SIGTERM sets; the second one works as it always does."""
    asked = threading.Event()
    before = {}

    def ask(number, frame):
        asked.set()
        restore()
        print("Stopping after this step; once more stops at once.", file=sys.stderr, flush=True)

    def restore():
        while before:
            signal.signal(*before.popitem())

    if threading.current_thread() is threading.main_thread():  # others may not set handlers
        before.update({number: signal.signal(number, ask) for number in SIGNALS})
    try:
        yield asked
    finally:
        restore()
