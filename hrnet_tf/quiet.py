"""Silence while libraries written in C++ talk to themselves."""

import contextlib
import os
from collections.abc import Iterator


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Nothing reaches stderr, from Python or from below it.

    TensorFlow logs some lines before it knows its log level, and its converter all of them.
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
    """Imports Keras and its backend without their chatter, and uses them once if told."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with quiet():
        import keras

        if use:
            keras.ops.zeros(())  # the backend looks for devices, and complains of those it lacks
