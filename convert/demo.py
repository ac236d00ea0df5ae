"""The last step of `make demo`: its network as files for phones, and their size, AP and time."""

import dataclasses
import os
from pathlib import Path

from hrnet_tf.convert.reports.compare import compare, table
from hrnet_tf.convert.to_tflite import Options, to_tflite
from hrnet_tf.opening import open_network
from hrnet_tf.runtime.network import fixed_size
from hrnet_tf.tasks import task_named
from hrnet_tf.tasks.opened import predictor
from hrnet_tf.training.evaluate import evaluate_on
from hrnet_tf.training.recipe import load_recipe
from hrnet_tf.training.task import training_named

VARIANTS = (
    Options(precision="float32", verify=False),
    Options(precision="float16", verify=False),
    Options(precision="int8", verify=False),
    Options(precision="int8", verify=False, qat=True, qat_epochs=1),
)


def convert_demo(folder: str | os.PathLike, threads: int = 2) -> list[str]:
    """Converts the network in a folder of `training.demo` and compares the files.

    Args:
        folder: what `demo` wrote; the files join the network in its `model`.
        threads: number that the timed networks may use.

    Returns:
        Lines of a table: size, AP on the held-out drawings, milliseconds for an image.

    Raises:
        OSError, ValueError: no such folder, or files of an earlier call in it.
    """
    model = Path(folder) / "model" / "model.keras"
    recipe = load_recipe(str(model.with_name("recipe.json")))
    training = training_named(recipe.task)
    data = {"calibration": recipe.train_images}  # pictures are used whole
    if task_named(recipe.task).wants_boxes:
        data = {"calibration": recipe.train_annotations, "images": recipe.train_images}
    if fixed_size(open_network(model).network) is None:
        data["size"] = recipe.input_size
    # Where the losses are the trainee's own, there is no training for integers.
    own = training.loss(recipe) is None
    files = [
        to_tflite(model, options=dataclasses.replace(options, **data), report=lambda line: None)
        for options in VARIANTS
        if not (options.qat and own)
    ]

    def measure(opened):
        judge = predictor(opened.network, card=opened.card, **training.options(recipe))
        return evaluate_on(judge, training.scored(recipe))

    name, rows = compare([model, *files], None, threads, measure)
    return table(name, rows, threads)
