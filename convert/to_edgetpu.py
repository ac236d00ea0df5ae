r"""Makes an int8 file for Coral's Edge TPU and reports which operations accelerators run.

    python convert/to_edgetpu.py --model=runs/mine/model.keras \
        --calibration=train.json --images=photos    # model_nocpu_int8.tflite, a report, and
                                                    # model_nocpu_int8_edgetpu.tflite
    python convert/to_edgetpu.py --model=mine_int8.tflite --report=edge_tpu,gpu,ethos_u

The first file upsamples by one operation; `to_tflite.py` writes several that are faster on CPUs.
The last file needs Coral's compiler, `edgetpu_compiler`, on PATH; without it there is only the
report. The report on Arm's Ethos-U needs `pip install ethos-u-vela`.
"""

import dataclasses
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

try:
    from absl import flags

    from hrnet_tf import fields
    from hrnet_tf.convert.reports.ethos_u import ethos_u
    from hrnet_tf.convert.reports.op_list import precision, read_operations
    from hrnet_tf.convert.reports.targets import TargetReport, edge_tpu, gpu
    from hrnet_tf.convert.script import script
    from hrnet_tf.convert.to_tflite import DEFAULT_MODEL, Options, to_tflite
    from hrnet_tf.files import prepare_folder, whole, write_json
except ModuleNotFoundError as error:
    sys.exit(f"{error.name} is not installed. Run `pip install -e .` in the checkout first.")

REPORTS = {
    "edge_tpu": lambda path: edge_tpu(read_operations(path)),
    "gpu": lambda path: gpu(read_operations(path)),
    "ethos_u": ethos_u,
}
COMPILER = "edgetpu_compiler"
CACHE = 8e6  # bytes of weights that the chip stores


def reports(
    path: str | os.PathLike, targets: tuple[str, ...] = ("edge_tpu",)
) -> list[TargetReport]:
    """Reports which operations of a `.tflite` file accelerators run.

    Args:
        path: the file.
        targets: keys of `REPORTS`.

    Raises:
        ModuleNotFoundError: a compiler that makes a report is not installed.
        OSError, ValueError: an unknown target, or not a whole `.tflite` file.
    """
    unknown = [each for each in targets if each not in REPORTS]
    if unknown:
        raise ValueError(
            f"`targets` must be some of {', '.join(REPORTS)}. Received: {unknown[0]!r}."
        )
    if Path(path).suffix != ".tflite":
        raise ValueError(f"`path` must be a .tflite file. Received: path={str(path)!r}.")
    found = [REPORTS[each](path) for each in targets]
    size = Path(path).stat().st_size
    note = (
        f"{size / 1e6:.1f} MB: the chip keeps about {CACHE / 1e6:.0f} MB of weights, the rest "
        "comes over the bus with each image; smaller networks (lite18, w18_small_v1) fit."
    )
    return [
        dataclasses.replace(each, notes=(*each.notes, note))
        if name == "edge_tpu" and size > CACHE
        else each
        for name, each in zip(targets, found, strict=True)
    ]


def compile_edge_tpu(path: str | os.PathLike, overwrite: bool = False) -> tuple[Path, str]:
    """Runs Coral's compiler on an int8 `.tflite` file.

    Returns:
        `(NAME_edgetpu.tflite, what the compiler says)`; the file lies beside the other.

    Raises:
        FileNotFoundError: the compiler is not on PATH.
        OSError, ValueError: it refuses the file, or its file exists.
    """
    path = Path(path)
    command = shutil.which(COMPILER)
    if not command:
        raise FileNotFoundError(
            f"{COMPILER} is not on PATH, so {path.name} is not compiled. It is a program for "
            "Debian and Ubuntu on x86-64 (https://coral.ai/docs/edgetpu/compiler); repeat the "
            "command where it is installed."
        )
    output = path.with_name(f"{path.stem}_edgetpu.tflite")
    prepare_folder(path.parent, [output.name], [path], overwrite)
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [command, "--show_operations", "--out_dir", folder, str(path)],
            capture_output=True,
            text=True,
        )
        made = Path(folder) / output.name
        if done.returncode or not made.is_file():
            said = (done.stderr.strip() or done.stdout.strip() or "it says nothing").split("\n")[-1]
            raise ValueError(f"{path}: {COMPILER} cannot compile it ({said}).")
        with whole(output) as part:
            shutil.copyfile(made, part)
    return output, done.stdout.strip()


def to_edgetpu(
    path: str | os.PathLike,
    targets: tuple[str, ...] = ("edge_tpu",),
    overwrite: bool = False,
    report: Callable[[str], None] = print,
) -> list[TargetReport]:
    """Reports on an int8 `.tflite` file, and compiles it if the compiler is there.

    Args:
        path: the file, such as `to_tflite` makes.
        targets: keys of `REPORTS`.
        overwrite: replace the compiler's file.
        report: called with each line.

    Raises:
        OSError, ValueError: unusable files or arguments. A missing compiler is only reported.
    """
    found = reports(path, targets)
    for each in found:
        for line in each.lines():
            report(line)
    if "edge_tpu" not in targets:
        return found
    if precision(read_operations(path)) not in ("int8", "uint8"):
        report("Not compiled: Edge TPU takes files of 8-bit integers; convert with --int8.")
        return found
    try:
        output, said = compile_edge_tpu(path, overwrite)
    except FileNotFoundError as error:
        report(str(error))
    else:
        report(said)
        report(f"Wrote {output}.")
    return found


def define_flags(values: flags.FlagValues) -> None:
    """The flags of the command."""
    text, number, switch = flags.DEFINE_string, flags.DEFINE_integer, flags.DEFINE_bool
    text("model", DEFAULT_MODEL, "a preset, a .keras or a .tflite file", flag_values=values)
    text("weights", "published", "checkpoint for the preset", flag_values=values)
    text("output", None, "the int8 .tflite file (default: after the model)", flag_values=values)
    text("precision", "int8", "recipe of to_tflite.py, of 8 bits", flag_values=values)
    place = "COCO file or folder of pictures to measure ranges on (default: drawn people)"
    text("calibration", None, place, flag_values=values)
    text("images", None, "folder of that file's pictures (default: beside it)", flag_values=values)
    number("count", 200, "crops to measure ranges on", 1, flag_values=values)
    number("seed", 0, "seed that chooses the crops", flag_values=values)
    text("size", None, "HEIGHTxWIDTH of the images (default: the network's)", flag_values=values)
    flags.DEFINE_list("report", ["edge_tpu"], f"targets: {', '.join(REPORTS)}", flag_values=values)
    text("json", None, "a .json file for the reports", flag_values=values)
    switch("overwrite", False, "replace existing files", flag_values=values)


def run(values: flags.FlagValues, words: list[str]) -> int:
    """The command behind its flags."""
    if words:
        raise flags.Error(f"everything is given by flags. Received: {words[0]!r}.")
    targets = tuple(values.report)
    unknown = set(targets) - set(REPORTS)
    if unknown:
        raise flags.Error(f"`--report` knows {', '.join(REPORTS)}. Received: {unknown.pop()!r}.")
    if values.json:
        file = Path(values.json)
        prepare_folder(file.parent, [file.name], [values.model], values.overwrite)
    path = values.model
    if Path(path).suffix == ".tflite":
        making = {*fields.names(Options), "weights", "output", "precision"}
        fields.refuse(values, making, f"is for making a file, and {path} is one.")
    if Path(path).suffix != ".tflite":
        options = fields.read(values, Options, cpu=False)
        path = to_tflite(path, values.output, values.weights, options, values.overwrite)
    found = to_edgetpu(path, targets, values.overwrite)
    if values.json:
        write_json(file, [dataclasses.asdict(each) for each in found], indent=1)
    return 0


if __name__ == "__main__":
    script(define_flags, run)
