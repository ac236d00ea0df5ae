"""Runs on two devices: the CPU cut in two, or two workers as two processes on this machine."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from hrnet_tf.training.loop import distribute, resume
from hrnet_tf.training.loop.resume import Checkpoint
from hrnet_tf.training.recipe import Recipe


def environments() -> list[dict[str, str]]:
    """The environment of each worker, in which scripts find the modules beside this one."""
    sockets = [socket.socket() for _ in range(2)]
    for free in sockets:
        free.bind(("127.0.0.1", 0))
    cluster = {"worker": [f"127.0.0.1:{free.getsockname()[1]}" for free in sockets]}
    for free in sockets:
        free.close()
    tasks = [{"type": "worker", "index": index} for index in range(2)]
    configs = [json.dumps({"cluster": cluster, "task": task}) for task in tasks]
    common = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
    return [{**common, "TF_CONFIG": config} for config in configs]


def start(command: Sequence, output: str | Path) -> list[subprocess.Popen]:
    """Starts both; what they say goes into the files `{output}0` and `{output}1`."""
    processes = []
    for index, environment in enumerate(environments()):
        with open(f"{output}{index}", "w") as file:
            own = {"env": environment, "stdout": file, "stderr": file}
            processes.append(subprocess.Popen(command, **own))
    return processes


def end(command: Sequence, output: str | Path, seconds: float = 600) -> None:
    """Starts both and waits until they have ended; a failure shows what they said."""
    processes = start(command, output)
    try:
        codes = [process.wait(seconds) for process in processes]
    finally:
        for process in processes:
            process.kill()
    assert codes == [0, 0], "".join(Path(f"{output}{i}").read_text() for i in range(2))


def checkpoints(script: str, recipe: Recipe, folder: Path) -> list[Checkpoint]:
    """The last checkpoints of a recipe's runs on one device, on two, and by two workers.

    `script` takes a recipe's file, a folder for the run and a number of devices.
    """
    path = folder / "recipe.json"
    path.write_text(recipe.to_json())
    command = [sys.executable, script, str(path)]
    for devices in ("1", "2"):
        words = [*command, folder / devices, devices]
        subprocess.run(words, check=True, stdout=subprocess.DEVNULL)
    end([*command, folder / "workers"], folder / "output")
    runs = [folder / name / "checkpoints" for name in ("1", "2", "workers")]
    return [resume.newest(run, pytest.fail) for run in runs]


def divide(devices: int) -> None:
    """Makes `train` use that number of devices, into which the CPU of this process is divided."""
    parts = [tf.config.LogicalDeviceConfiguration()] * devices
    tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0], parts)
    strategy = tf.distribute.MirroredStrategy([f"CPU:{number}" for number in range(devices)])
    distribute.strategy = lambda name: strategy


def differences(one: Checkpoint, other: Checkpoint) -> dict[str, float]:
    """The largest difference of each array, as a share of its largest value or of .001.

    Smaller values may be nothing but rounding, as a bias is that normalization takes away.
    """
    assert one.position.step == other.position.step and one.arrays.keys() == other.arrays.keys()
    found = {}
    for name, array in one.arrays.items():
        largest = max(np.abs(array).max(initial=0), 1e-3)
        found[name] = float(np.abs(other.arrays[name] - array).max(initial=0) / largest)
    return found
