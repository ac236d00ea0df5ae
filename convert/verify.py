r"""Compares a converted file with the network it was made from, and looks at what is inside.

    python convert/verify.py hrnet_w32.tflite                # without a source: no differences
    python convert/verify.py mine.tflite --model=mine.keras  # on drawn people
    python convert/verify.py mine.onnx --model=mine.keras \
        --calibration=person_keypoints_val2017.json --images=val2017 --output=mine_verified.json

prints operations with their versions and what is wrong with them, size, time of one image, and the
largest and mean difference in standard deviations of the source's output.
"""

import dataclasses
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

try:
    import numpy as np
    from absl import flags

    from hrnet_tf.convert.reports.latency import Delegated, Latency, delegated, latency
    from hrnet_tf.convert.reports.lint import lint
    from hrnet_tf.convert.reports.op_list import counts, precision, read_operations
    from hrnet_tf.convert.script import script
    from hrnet_tf.files import prepare_folder, write_json
    from hrnet_tf.quiet import quiet
    from hrnet_tf.runtime.converted import ONNXNetwork, TFLiteNetwork, open_converted
except ModuleNotFoundError as error:
    sys.exit(f"{error.name} is not installed. Run `pip install -e .` in the checkout first.")

BATCH = 8  # crops per call of the source


@dataclasses.dataclass(frozen=True)
class Difference:
    """How far outputs are from those of the source, over all crops and outputs.

    Attributes:
        crops: how many were compared.
        maximum: the largest, in standard deviations of the source's output.
        mean: likewise.
        cosine: of the angle between both, 1 if they agree; the lowest of all outputs.
    """

    crops: int
    maximum: float
    mean: float
    cosine: float


@dataclasses.dataclass(frozen=True)
class Verification:
    """What `verify` found.

    Attributes:
        file: its name.
        precision: in what numbers it computes, see `op_list.precision`.
        megabytes: of 10^6 bytes.
        operations: how many of each, by name and version.
        problems: what is wrong, one sentence each.
        latency: of one image.
        delegated: None for ONNX.
        difference: None if there was nothing to compare with.
    """

    file: str
    precision: str
    megabytes: float
    operations: Mapping[str, int]
    problems: tuple[str, ...]
    latency: Latency
    delegated: Delegated | None
    difference: Difference | None

    def lines(self) -> list[str]:
        """All of it as text."""
        operations = ", ".join(f"{count} {name}" for name, count in self.operations.items())
        time = self.latency
        lines = [
            f"{self.file}: {self.precision}, {self.megabytes:.2f} MB",
            f"{sum(self.operations.values())} operations: {operations}",
            f"one image: {time.p50:.2f} ms (90 of 100 below {time.p90:.2f}) on {time.threads} "
            f"thread{'s' if time.threads > 1 else ''}, {time.calls} calls",
        ]
        if self.delegated:
            outside = ", ".join(f"{n} {name}" for name, n in self.delegated.outside.items())
            parts = self.delegated.parts
            lines.append(
                f"XNNPACK runs {self.delegated.operations} operations in {parts} "
                f"part{'s' if parts != 1 else ''}" + (f"; not {outside}" if outside else "")
            )
        if self.difference:
            lines.append(
                f"against the source on {self.difference.crops} crops: largest difference "
                f"{self.difference.maximum:.2g}, mean {self.difference.mean:.2g} standard "
                f"deviations, cosine {self.difference.cosine:.6f}"
            )
        return lines + [f"problem: {each}" for each in self.problems]


def verify(
    path: str | os.PathLike,
    source: Callable | None = None,
    crops: np.ndarray | None = None,
    threads: int = 2,
) -> Verification:
    """Looks at a converted file and compares it with its source.

    Args:
        path: a `.tflite` or `.onnx` file.
        source: the Keras model it was made from, or a function from images to its outputs.
        crops: (N, H, W, 3) float32 as the network takes them.
        threads: that the file may use.

    Raises:
        OSError, ValueError: the file cannot be read or run, `crops` do not fit it, or what it
            gives is not finite.
        ModuleNotFoundError: what runs it is not installed.
    """
    path = Path(path)
    operations = read_operations(path)
    with quiet():
        network = open_converted(path, threads)
    difference = None
    if source is not None and crops is not None:
        difference = differences(network, source, crops)
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


def reported(
    path: Path, name: str, source: Callable, crops: np.ndarray, report: Callable[[str], None]
) -> dict | None:
    """`verify` of a file that is being written, told line by line.

    Args:
        path: where it lies now.
        name: that it will have.
        source: see `verify`.
        crops: likewise.
        report: called with each line.

    Returns:
        What was found, for the card; None if what runs the file is not installed.
    """
    try:
        found = dataclasses.replace(verify(path, source, crops), file=name)
    except ModuleNotFoundError as error:
        report(f"Not verified. {error}")
        return None
    for line in found.lines():
        report(line)
    return dataclasses.asdict(found)


def differences(
    network: TFLiteNetwork | ONNXNetwork, source: Callable, crops: np.ndarray
) -> Difference:
    """Compares all outputs on all crops.

    Args:
        network: of `open_converted`.
        source: see `verify`.
        crops: likewise.

    Raises:
        ValueError: `crops` do not fit the network, it has not the source's outputs, or they are not
            finite.
    """
    wanted_shape = network.inputs["image"]
    if (
        crops.ndim != 4
        or not len(crops)
        or any(n not in (None, m) for n, m in zip(wanted_shape, crops.shape[1:], strict=True))
    ):
        raise ValueError(
            f"`crops` must be at least one image of {wanted_shape}. Received: {crops.shape}."
        )
    batches = [crops[start : start + BATCH] for start in range(0, len(crops), BATCH)]
    import keras

    from hrnet_tf.convert.source import as_in_file, compiled_model

    call = compiled_model(source) if isinstance(source, keras.Model) else source
    pairs = [([*network({"image": batch}).values()], as_in_file(call(batch))) for batch in batches]
    ours, theirs = (
        [np.concatenate(each) for each in zip(*side, strict=True)]
        for side in zip(*pairs, strict=True)
    )
    if [each.shape for each in ours] != [each.shape for each in theirs]:
        raise ValueError(
            f"The file must give what its source gives, {[each.shape[1:] for each in theirs]}. "
            f"Received: {[each.shape[1:] for each in ours]}. Was it made from this network?"
        )
    if not all(np.isfinite(each).all() for each in ours):
        raise ValueError(
            "The file gives numbers that are not finite, so it is of no use. Does its source, on "
            "these crops? If not, convert it in another precision."
        )
    found = [_difference(a, b) for a, b in zip(ours, theirs, strict=True)]
    maximum, mean, cosine = (np.array(each) for each in zip(*found, strict=True))
    return Difference(len(crops), float(maximum.max()), float(mean.max()), float(cosine.min()))


def _difference(ours, theirs):
    ours, theirs = ours.ravel().astype(np.float64), theirs.ravel().astype(np.float64)
    difference, deviation = np.abs(ours - theirs), theirs.std() or 1.0
    lengths = np.sqrt((ours @ ours) * (theirs @ theirs)) or 1.0
    return difference.max() / deviation, difference.mean() / deviation, ours @ theirs / lengths


def define_flags(values: flags.FlagValues) -> None:
    """Defines what the command understands."""
    text, number = flags.DEFINE_string, flags.DEFINE_integer
    text("model", None, "what the file was made of: a preset or a .keras file", flag_values=values)
    text("weights", "published", "checkpoint of the preset", flag_values=values)
    text("calibration", None, "crops: a COCO json or a folder of pictures", flag_values=values)
    text("images", None, "folder of the json's pictures", flag_values=values)
    number("count", 16, "how many crops", 1, flag_values=values)
    number("seed", 0, "which crops", flag_values=values)
    number("threads", 2, "that the file may use", 1, flag_values=values)
    text("output", None, "a .json file for the same numbers", flag_values=values)
    flags.DEFINE_bool("overwrite", False, "replace that file", flag_values=values)


def run(values: flags.FlagValues, words: list[str]) -> int:
    """Verifies one file as the flags say, and prints what was found."""
    if len(words) != 1:
        raise flags.Error(f"Name one .tflite or .onnx file. Received: {words}.")
    (path,) = words
    if values.output:
        output = Path(values.output)
        prepare_folder(output.parent, [output.name], [path, values.model or path], values.overwrite)
    read_operations(path)  # says what is no such file before Keras is imported
    source = crops = None
    if values.model:
        source, crops = _source(values, path)
    found = verify(path, source, crops, values.threads)
    print("\n".join(found.lines()))
    if not values.model:
        print("No --model to compare with.")
    if values.output:
        write_json(output, dataclasses.asdict(found), indent=1)
    return 0


def _source(values, path):
    """The Keras model that --model names, and crops for it."""
    with quiet():
        from hrnet_tf.convert.calibration import calibration
        from hrnet_tf.convert.source import open_source

        size = open_converted(path).inputs["image"][:2]
    source = open_source(values.model, values.weights, None if None in size else size)
    found = calibration(
        values.calibration,
        values.images,
        source.card,
        source.input_size,
        values.count,
        values.seed,
    )
    return source.model, found.crops


if __name__ == "__main__":
    script(define_flags, run)
