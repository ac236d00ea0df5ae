"""The tasks that networks solve. They do not import each other; pose may import detection.

Each name in `hrnet_tf.cards.NAMES` is a folder here with `options.py`, which needs no Keras, and
with `task.py`, whose `TASK` holds the predictor and its writers.
"""

import importlib
from types import ModuleType

from hrnet_tf.cards import check_task


def task_named(name: str):
    """The `Task` of this name.

    Raises:
        ValueError: there is none.
    """
    check_task(name)
    return importlib.import_module(f"{__name__}.{name}.task").TASK


def options_of(name: str) -> ModuleType:
    """The module with the flags of a task; it needs no Keras."""
    return importlib.import_module(f"{__name__}.{name}.options")
