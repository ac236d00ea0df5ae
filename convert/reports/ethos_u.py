"""Which operations of a `.tflite` file run on Arm's Ethos-U, by Arm's own compiler `vela`."""

import csv
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from hrnet_tf.convert.reports.op_list import read_operations
from hrnet_tf.convert.reports.targets import INT8, Left, TargetReport, float_ends, judged


def ethos_u(path: str | os.PathLike, accelerator: str = "ethos-u55-256") -> TargetReport:
    """Runs Arm's compiler `vela` and reads its report.

    Args:
        path: an int8 or int16 `.tflite` file.
        accelerator: a key of `vela --accelerator-config`.

    Raises:
        ModuleNotFoundError: vela is not installed.
        ValueError: vela refuses the file.
    """
    command = shutil.which("vela") or shutil.which("vela", path=Path(sys.executable).parent)
    if not command:
        raise ModuleNotFoundError("Ethos-U files are judged by vela: `pip install ethos-u-vela`.")
    with tempfile.TemporaryDirectory() as folder:
        options = ("--output-dir", folder, "--accelerator-config", accelerator)
        done = subprocess.run(
            [command, str(path), *options, "--show-cpu-operations"], capture_output=True, text=True
        )
        summaries = list(Path(folder).glob("*_summary_*.csv"))
        if done.returncode or not summaries:
            said = (done.stderr or done.stdout).strip().split("\n")[-1]
            raise ValueError(f"{path}: vela cannot compile it ({said}).")
        with open(summaries[0], newline="", encoding="utf-8") as file:
            summary = next(csv.DictReader(file))
    return _ethos_u(accelerator, done.stdout, summary, read_operations(path))


def _ethos_u(accelerator, said, summary, operations):
    """The report that vela printed."""
    numbers = {each.outputs[0].name: number for number, each in enumerate(operations)}
    ends, left = float_ends(operations), []
    warning = r"Warning \(supported operators\) operator: (\S+), ofm: '(.*)'\n(?:Reason: (.*))?"
    for name, tensor, reason in re.findall(warning, said):
        reason = re.sub(r" \(.*\)$", "", reason).rstrip(".") or "not supported"  # no tensor name
        remedy = INT8 if "Float" in reason else ""
        number = numbers.get(tensor, len(operations))
        left.append(judged(Left(number, name, tensor, reason, remedy), ends))
    left.sort(key=lambda each: each.number)
    counts = [int(n) for n in re.findall(r"^[CN]PU operators = (\d+)", said, re.MULTILINE)]
    milliseconds = 1000 * float(summary["inference_time"])
    notes = ["vela counts after fusions and splits of its own."]
    if counts[-1]:
        memory = float(summary["sram_memory_used"])
        notes.append(
            f"It expects {milliseconds:.2f} ms per image and {memory:.0f} KiB of SRAM on its "
            "default system."
        )
    return TargetReport(f"Ethos-U ({accelerator})", sum(counts), tuple(left), tuple(notes))
