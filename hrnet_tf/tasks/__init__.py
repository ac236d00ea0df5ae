"""The tasks that networks solve. They do not import each other; pose may import detection.

`NAMES` is the only table of tasks. Each name is a folder here with `card.py`, with `options.py`,
which needs no Keras, and with `task.py`, whose `TASK` holds the predictor and its writers.
"""

import importlib
from types import ModuleType

NAMES = ("pose", "segmentation", "classification")
WHOLE_PICTURES = "classification"  # pictures are cut as for this task if a network has no card


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


def check_task(name: str) -> None:
    """Raises a ValueError unless there is a task of this name."""
    if name not in NAMES:
        raise ValueError(
            f"`task` of a card must be one of {', '.join(NAMES)}. Received: {name!r}. "
            "A newer hrnet_tf may know it."
        )
