"""`benchmarks/gpu.py` on a CPU: a machine with a GPU need not have TensorFlow."""

import os
import subprocess
import sys

import pytest

from places import ROOT

SCRIPT = ROOT / "benchmarks" / "gpu.py"


@pytest.mark.slow
def test_our_networks_are_measured_without_tensorflow(tmp_path):
    """Both precisions on JAX. PyTorch is not installed with the tests, so its rows are left out."""
    (tmp_path / "tensorflow.py").write_text("raise ModuleNotFoundError('blocked')\n")
    command = [
        sys.executable,
        SCRIPT,
        "--device=cpu",
        "--small",
        "--libraries",
        "jax",
        "--minutes=60",
    ]
    environment = os.environ | {"PYTHONPATH": str(tmp_path)}
    run = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert run.returncode == 0, run.stdout + run.stderr
    rows = [line.split() for line in run.stdout.splitlines()[1:]]
    assert [row[3] for row in rows] == ["float32", "bfloat16"]
    assert all(float(row[4]) > 0 and float(row[6]) > 0 for row in rows)


def test_rows_that_no_time_is_left_for_are_named():
    words = ["--device=cpu", "--small", "--minutes=0"]
    run = subprocess.run([sys.executable, SCRIPT, *words], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert [line.count("no time") for line in run.stdout.splitlines()[1:]] == [5] * 4
