"""What networks are for. Tasks do not know each other, but pose may look for people.

`NAMES` is the only table of tasks. Each name is a folder here with `card.py`, `options.py`, which
needs no Keras, and `task.py`, whose `TASK` says what predicts, draws and writes.
"""

import importlib
from types import ModuleType

NAMES = ("pose", "segmentation", "classification")
WHOLE_PICTURES = "classification"  # how pictures are cut for a network that nothing describes


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
