"""Suppresses the log lines that C++ libraries write to stderr."""

import contextlib
import gc
import os
import sys
from collections.abc import Iterator

from hrnet_tf.collection import uncollected


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Discards everything that Python and C++ write to stderr during the block.

    TensorFlow writes some lines before its log level applies, and its converter ignores that level.
    """
    kept = os.dup(2)
    try:
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def import_keras(use: bool = True) -> None:
    """Imports Keras and its backend without their log lines.

    Args:
        use: also run one operation. The backend then looks for devices, and logs which are missing,
            while its log lines are still discarded.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    first = "keras" not in sys.modules
    with quiet(), uncollected():
        import keras

        if use:
            keras.ops.zeros(())
    if first:
        gc.freeze()  # modules stay; no later collection looks at them
