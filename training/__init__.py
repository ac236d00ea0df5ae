"""Training and evaluation, installed as `hrnet_tf.training`."""

import importlib
import pkgutil
from importlib.util import find_spec
from types import ModuleType

from hrnet_tf import cards


def scored_tasks() -> tuple[str, ...]:
    """The tasks whose networks can be evaluated: their folders here have `options.py`.

    Those with a page in `recipes/` can also be trained: `recipes.TASKS`.
    """
    folders = {each.name for each in pkgutil.iter_modules(__path__) if each.ispkg}
    names = (name for name in cards.NAMES if name in folders)
    return tuple(name for name in names if find_spec(f"{__name__}.{name}.options"))


def scoring_options(task: str) -> ModuleType:
    """The module with the evaluation flags of a task; it needs no Keras."""
    return importlib.import_module(f"{__name__}.{task}.options")
