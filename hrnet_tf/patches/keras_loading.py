"""Two things that Keras does in vain while it opens a network, which took half of the time.

Keras draws random numbers for each weight and makes a variable of them, also if the weight is then
read from a file. And for each layer it makes another one, to list the attributes that all layers
have: Keras 3.15 keeps this list by one name and looks for it by another.
"""

import contextlib
import functools
from collections.abc import Iterator

import keras
from keras.src.saving import saving_lib


@contextlib.contextmanager
def made_when_assigned() -> Iterator[None]:
    """Inside, a new weight becomes a variable when its first value is assigned.

    Weights that have none by the end of the block are initialized then, as Keras does. With other
    backends than TensorFlow, weights are made at once.
    """
    listed = saving_lib.get_attr_skipset
    saving_lib.get_attr_skipset = functools.cache(listed)
    try:
        later = keras.backend.backend() == "tensorflow"
        with _made_later(keras.Variable) if later else contextlib.nullcontext():
            yield
    finally:
        saving_lib.get_attr_skipset = listed


@contextlib.contextmanager
def _made_later(kind):
    initialize, assign = kind._initialize_with_initializer, kind._direct_assign
    waiting = []

    def wait(self, initializer):
        self._value, self._initializer = None, initializer
        waiting.append(self)

    def assign_first(self, value):
        if self._value is None:
            self._initialize(value)
            self._initializer = None
        else:
            assign(self, value)

    kind._initialize_with_initializer, kind._direct_assign = wait, assign_first
    try:
        yield
    finally:
        kind._initialize_with_initializer, kind._direct_assign = initialize, assign
        for variable in waiting:
            if variable._value is None:
                initialize(variable, variable._initializer)
