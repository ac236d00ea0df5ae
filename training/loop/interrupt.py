"""Ctrl-C, and SIGTERM, which clusters send before they take a machine: stop after a step."""

import contextlib
import signal
import sys
import threading
from collections.abc import Iterator

SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextlib.contextmanager
def asked_to_stop() -> Iterator[threading.Event]:
    """Yields an event that the first SIGINT or SIGTERM sets; a second one has its usual effect."""
    asked = threading.Event()
    before = {}

    def ask(number, frame):
        asked.set()
        restore()
        print("Stopping after this step; once more stops at once.", file=sys.stderr, flush=True)

    def restore():
        while before:
            signal.signal(*before.popitem())

    if threading.current_thread() is threading.main_thread():  # only this one may set handlers
        before.update({number: signal.signal(number, ask) for number in SIGNALS})
    try:
        yield asked
    finally:
        restore()
