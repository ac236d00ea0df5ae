"""What a network expects and what its outputs mean: a card for each task, and codecs of heat maps.

`NAMES` is the only table of tasks. Each name is a module here, whose `CARD` is its class of cards,
a folder in `hrnet_tf/tasks/` and, if its networks are trained, a folder in `training/`.
"""

import importlib

NAMES = ("pose", "segmentation", "classification", "detection")
WHOLE_PICTURES = "classification"  # pictures are cut as for this task if a network has no card


def check_task(name: str) -> None:
    """Raises a ValueError unless there is a task of this name."""
    if name not in NAMES:
        raise ValueError(
            f"`task` of a card must be one of {', '.join(NAMES)}. Received: {name!r}. "
            "A newer hrnet_tf may know it."
        )


def card_class(name: str) -> type:
    """The class of cards of a task; raises as `check_task`."""
    check_task(name)
    return importlib.import_module(f"{__name__}.{name}").CARD
