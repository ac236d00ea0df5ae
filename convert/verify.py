r"""Compares a converted file with the network it was made from, and looks at what is inside.

    python convert/verify.py hrnet_w32.tflite                # without a source: no differences
    python convert/verify.py mine.tflite --model=mine.keras  # on drawn people
    python convert/verify.py mine.onnx --model=mine.keras \
        --calibration=person_keypoints_val2017.json --images=val2017 --output=mine_verified.json

It prints the operations with their versions and problems, the size, the time of one image, and the
largest and mean difference in standard deviations of the source's output.
"""

import dataclasses
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

try:
    from absl import flags

    from hrnet_tf.convert.graph.nodes import Graph
    from hrnet_tf.convert.reports.differences import Source, differences
    from hrnet_tf.convert.reports.latency import delegated, latency
    from hrnet_tf.convert.reports.lint import lint
    from hrnet_tf.convert.reports.op_list import counts, precision, read_operations
    from hrnet_tf.convert.reports.verification import Verification
    from hrnet_tf.convert.script import script
    from hrnet_tf.files import prepare_folder, write_json
    from hrnet_tf.quiet import quiet
    from hrnet_tf.runtime.converted import TFLiteNetwork, open_converted
    from hrnet_tf.runtime.network import Arrays, fixed_size
except ModuleNotFoundError as error:
    sys.exit(f"{error.name} is not installed. Run `pip install -e .` in the checkout first.")

if TYPE_CHECKING:
    import keras


def verify(
    path: str | os.PathLike,
    source: "Source | keras.Model | None" = None,
    examples: Arrays | None = None,
    threads: int = 2,
) -> Verification:
    """Looks at a converted file and compares it with its source.

    Args:
        path: a `.tflite` or `.onnx` file.
        source: the network it was made from: a function from arrays by name to outputs by name, or
            a Keras model.
        examples: (N, ...) float32 for each input, as the network takes them.
        threads: number that the file may use.

    Raises:
        OSError, ValueError: the file cannot be read or run, `examples` do not fit it, or its
            outputs are not finite.
        ModuleNotFoundError: what runs it is not installed.
    """
    path = Path(path)
    operations = read_operations(path)
    with quiet():
        network = open_converted(path, threads)
    difference = None
    if source is not None and examples is not None:
        decoded = getattr(source, "decoded", ())
        difference = differences(network, _function(source), examples, decoded)
    return Verification(
        path.name,
        precision(operations),
        round(path.stat().st_size / 1e6, 3),
        counts(operations),
        tuple(lint(operations)),
        latency(network, threads),
        delegated(network) if isinstance(network, TFLiteNetwork) else None,
        difference,
    )


def _function(source):
    """A source as a function of named arrays."""
    with quiet():
        import keras

        from hrnet_tf.runtime.keras_model import KerasNetwork
    return KerasNetwork(source) if isinstance(source, keras.Model) else source


def reported(
    path: Path,
    name: str,
    source: Source,
    examples: Arrays,
    report: Callable[[str], None],
    convert: Callable[[Graph], bytes],
) -> Verification | None:
    """Verifies a file that is being written, and reports line by line.

    Args:
        path: its path until it is complete.
        name: its name afterwards.
        source: a `convert.source.Source`.
        examples: see `verify`.
        report: called with each line.
        convert: the content of such a file of any graph, to find the layer that differs.

    Returns:
        What was found; None if what runs the file is not installed.

    Raises:
        ValueError: a float file is farther from its source than rounding explains; the sentence
            names the first layer that differs.
    """
    try:
        found = dataclasses.replace(verify(path, source, examples), file=name)
    except ModuleNotFoundError as error:
        report(f"Not verified. {error}")
        return None
    except ValueError as error:
        from hrnet_tf.convert.reports.first_layer import first_layer

        layer = first_layer(source.model, source.graph, examples, convert, Path(name).suffix)
        where = f"The first layer that differs is {layer}."
        if not layer:  # integers between layers that Keras computes in float
            unsure = ", ".join(source.graph.fallbacks) or "any"
            where = f"Layers that may be the reason: {unsure}. Use float16, or leave them out."
        text = str(error).removeprefix(f"{path}: ")
        raise ValueError(f"{name}: {text} {where}") from error
    for line in found.lines():
        report(line)
    if found.far:
        from hrnet_tf.convert.reports.first_layer import first_layer

        layer = first_layer(source.model, source.graph, examples, convert, Path(name).suffix)
        where = f"the first layer that differs is {layer}" if layer else "no layer alone differs"
        raise ValueError(
            f"{found.far}; {where}. Nothing was written. Leave that part out of the network, or "
            "report it as a fault of hrnet_tf."
        )
    return found


def define_flags(values: flags.FlagValues) -> None:
    """Defines what the command understands."""
    text, number = flags.DEFINE_string, flags.DEFINE_integer
    text("model", None, "what the file was made of: a preset or a .keras file", flag_values=values)
    text("weights", "published", "checkpoint of the preset", flag_values=values)
    text("calibration", None, "crops: a COCO json or a folder of pictures", flag_values=values)
    text("images", None, "folder of the json's pictures", flag_values=values)
    number("count", 16, "number of crops", 1, flag_values=values)
    number("seed", 0, "seed that chooses the crops", flag_values=values)
    number("threads", 2, "that the file may use", 1, flag_values=values)
    text("output", None, "a .json file for the same numbers", flag_values=values)
    flags.DEFINE_bool("overwrite", False, "replace an existing file", flag_values=values)


def run(values: flags.FlagValues, words: list[str]) -> int:
    """Verifies one file as the flags say, and prints what was found."""
    if len(words) != 1:
        raise flags.Error(f"Name one .tflite or .onnx file. Received: {words}.")
    (path,) = words
    if values.output:
        output = Path(values.output)
        prepare_folder(output.parent, [output.name], [path, values.model or path], values.overwrite)
    read_operations(path)  # says what is no such file before Keras is imported
    source = examples = None
    if values.model:
        source, examples = _source(values, path)
    found = verify(path, source, examples, values.threads)
    print("\n".join(found.lines()))
    if not values.model:
        print("No --model to compare with.")
    elif found.loss:
        print(found.loss)
    if values.output:
        write_json(output, dataclasses.asdict(found), indent=1)
    return 1 if found.far else 0


def _source(values, path):
    """The network that --model names, and examples for it."""
    with quiet():
        from hrnet_tf.convert.calibration import calibration
        from hrnet_tf.convert.source import open_source

        size = fixed_size(open_converted(path))
    source = open_source(values.model, values.weights, size)
    found = calibration(
        values.calibration,
        values.images,
        source.card,
        source.inputs,
        values.count,
        values.seed,
    )
    return source, found.examples


if __name__ == "__main__":
    script(define_flags, run)
