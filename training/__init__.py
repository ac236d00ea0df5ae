"""Training and evaluation, installed as `hrnet_tf.training`."""

import importlib
from types import ModuleType


def scoring_options(task: str) -> ModuleType:
    """The module with the evaluation flags of a task; it needs no Keras."""
    return importlib.import_module(f"{__name__}.{task}.options")
