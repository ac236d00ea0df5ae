"""What NumPy arrays and the backend's tensors need to share the code of selection."""

import keras
import numpy as np
from keras import ops


def namespace(array):
    """`numpy` for a NumPy array, `keras.ops` for a tensor of the backend."""
    return np if isinstance(array, np.ndarray) else ops


def floats(array):
    """The array or tensor as float32."""
    return np.float32(array) if isinstance(array, np.ndarray) else ops.cast(array, "float32")


def sigmoid(x):
    """1 / (1 + exp(-x)); does not overflow."""
    xp = namespace(x)
    return 1 / (1 + xp.exp(-xp.maximum(x, -80.0)))


def chosen(indices, *arrays):
    """The rows of these indices, of each array."""
    xp = namespace(indices)
    return tuple(xp.take(array, indices, axis=0) for array in arrays)


def where(mask):
    """The indices at which a mask (N,) is true."""
    return namespace(mask).nonzero(mask)[0]


def best(scores, most: int):
    """The indices of at most `most` highest scores (N,), best first; equal ones keep their order.

    A tensor has to be one of TensorFlow.
    """
    if not isinstance(scores, np.ndarray):
        return ops.top_k(scores, ops.minimum(most, ops.shape(scores)[0]))[1]
    candidates = np.arange(len(scores))
    if 0 < most < len(scores):
        last = np.partition(scores, len(scores) - most)[len(scores) - most]
        candidates = np.flatnonzero(scores >= last)
    return candidates[np.argsort(-scores[candidates], kind="stable")[:most]]


def is_tensorflow(array) -> bool:
    """Whether the array is a tensor of TensorFlow."""
    return keras.backend.backend() == "tensorflow" and not isinstance(array, np.ndarray)
