"""Python's cyclic garbage collector, kept out of work that only makes objects that stay.

The collector looks at all live objects again each time their number has grown by a quarter. Imports
and the construction and tracing of large networks make hundreds of thousands that stay: a third of
their time was spent in it.
"""

import contextlib
import gc
from collections.abc import Iterator


@contextlib.contextmanager
def uncollected() -> Iterator[None]:
    """Inside, the collector does not run; objects without cycles are freed as always."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
