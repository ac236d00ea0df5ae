"""The tasks that networks solve. They do not import each other; pose may import detection.

Each name in `hrnet_tf.cards.NAMES` is a folder here with `options.py`, which needs no Keras, and
with `task.py`, whose `TASK` holds the predictor and its writers. If it has `pipeline.py`, the
predictor can also be one graph of TensorFlow.
"""

import importlib
import importlib.util
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


def pipeline_of(name: str) -> ModuleType:
    """The module with the pipeline of a task, which needs TensorFlow.

    Its function `pipeline(network, card, options, size)` returns a `pipelines.Pipeline`.

    Raises:
        ValueError: the task has none.
    """
    place = f"{__name__}.{name}.pipeline"
    if importlib.util.find_spec(place) is None:
        raise ValueError(
            f"Networks for {name} have no pipeline in one graph. Convert the network alone by "
            "to_tflite.py or to_onnx.py."
        )
    return importlib.import_module(place)
