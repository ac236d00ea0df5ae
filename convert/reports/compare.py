"""A table of networks and converted files: type of numbers, size, accuracy, time."""

import dataclasses
import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import keras
import numpy as np

from hrnet_tf.cards.files import other_parts
from hrnet_tf.convert.reports.latency import latency
from hrnet_tf.convert.reports.op_list import precision, read_operations
from hrnet_tf.opening import Opened, open_network
from hrnet_tf.quiet import quiet
from hrnet_tf.runtime.network import Divided
from hrnet_tf.training.evaluate import Evaluation


@dataclasses.dataclass(frozen=True)
class Row:
    """One network.

    Attributes:
        file: name of the file or preset.
        precision: type of the numbers it computes with.
        megabytes: size in 10^6 bytes, of all parts; of a preset the size of its weights.
        number: the accuracy; None if it was not measured.
        change: difference to the accuracy of the first network.
        milliseconds: median time for one example; None if one of the networks has several parts,
            which only a predictor can run.
        further: `Evaluation.further`, by name.
    """

    file: str
    precision: str
    megabytes: float
    number: float | None
    change: float | None
    milliseconds: float | None
    further: Mapping[str, float] = dataclasses.field(default_factory=dict)


def compare(
    models: Sequence[str | os.PathLike | keras.Model],
    weights: str | os.PathLike | None = "published",
    threads: int = 2,
    measure: Callable[[Opened], Evaluation] | None = None,
) -> tuple[str, list[Row]]:
    """Measures networks one after the other.

    Args:
        models: presets, `.keras`, `.h5`, `.tflite` and `.onnx` files, folders of runs, and Keras
            models; the first is the reference.
        weights: for presets, as in `from_preset`.
        threads: number for converted files. For Keras models the backend decides, TensorFlow by
            `TF_NUM_INTRAOP_THREADS`.
        measure: evaluates an opened network; without it there is no accuracy.

    Returns:
        `(name, rows)`: name of `Row.number`, such as "AP", empty without `measure`; a row for each.

    Raises:
        OSError, ValueError, ModuleNotFoundError: one of them cannot be opened, run or evaluated.
    """
    opened = [_open(model, weights, threads) for model in models]
    whole = not any(isinstance(each.network, Divided) for each in opened)
    times = [latency(each.network, threads).p50 if whole else None for each in opened]
    name, numbers, further = "", [None] * len(models), [{}] * len(models)
    if measure:
        found = [measure(each) for each in opened]
        name = found[0].main[0]
        numbers = [each.numbers[name] for each in found]
        further = [{own: each.numbers[own] for own in each.further} for each in found]
    rows = [
        Row(
            Path(each.name).name,
            _precision(each),
            round(_bytes(each) / 1e6, 3),
            number,
            None if number is None else number - numbers[0],
            time,
            more,
        )
        for each, number, time, more in zip(opened, numbers, times, further, strict=True)
    ]
    return name, rows


def _open(model, weights, threads):
    file = isinstance(model, keras.Model) or Path(model).suffix or Path(model).is_dir()
    with quiet():
        return open_network(model, "published" if file else weights, threads)


def _precision(opened):
    if opened.model is None:
        return precision(read_operations(opened.file))
    policies = Counter(each.dtype_policy.name for each in opened.model.layers if each.weights)
    return policies.most_common(1)[0][0] if policies else "float32"


def _bytes(opened):
    if opened.file and opened.name == str(opened.file):
        files = opened.file, *other_parts(opened.file).values()
        return sum(each.stat().st_size for each in files)
    return sum(np.asarray(each).nbytes for each in opened.model.weights)


def table(name: str, rows: Sequence[Row], threads: int) -> list[str]:
    """What `compare` returns as lines of text."""
    accuracy = [name, f"Δ{name}", *rows[0].further] if name else []
    plural = "s" if threads > 1 else ""
    time = [f"ms, {threads} thread{plural}"] if rows[0].milliseconds is not None else []
    heads = ["file", "numbers", "MB", *accuracy, *time]
    cells = [heads]
    for number, row in enumerate(rows):
        accuracy = []
        if name:
            change = "" if number == 0 else f"{row.change:+.4f}"
            further = (f"{number:.4f}" for number in row.further.values())
            accuracy = [f"{row.number:.4f}", change, *further]
        time = [] if row.milliseconds is None else [f"{row.milliseconds:.2f}"]
        sizes = f"{row.megabytes:.2f}", *accuracy, *time
        cells.append([row.file, row.precision, *sizes])
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return [
        "  ".join(
            f"{cell:<{width}}" if column < 2 else f"{cell:>{width}}"
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        for line in cells
    ]
