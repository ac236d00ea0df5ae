"""Several devices and several workers train as one device does.

Devices are set up when a process starts, so every run is a process of its own: this file, called
with the kind of run, the number of the worker and the folder for results.
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import pytest
import several_devices
import tensorflow as tf

from hrnet_tf.patches.keras_adam import Adam
from hrnet_tf.patches.keras_normalization import fuse
from hrnet_tf.training.loop import distribute

BATCH, STEPS = 8, 4
CASES = {
    "float32": {"clip": 0.1, "accumulation": 2, "ema": True},
    "float16": {"policy": "mixed_float16", "clip": 0.1, "outlier": 2},
    "unsynchronized": {"synchronized": False},
}


def crops(parts, first_part, local_parts, outlier=-1):
    """Endless crops and maps that follow from the number of the step.

    The last map of step `outlier` has a gradient beyond float16.
    """

    def share(step):
        images = tf.random.stateless_normal((BATCH, 8, 8, 3), (7, step))
        maps = tf.reduce_sum(images, -1, keepdims=True)
        last = tf.range(BATCH)[:, None, None, None] == BATCH - 1
        maps = tf.where(last & (step == outlier), 1e12, maps)
        cut = (parts, BATCH // parts, 8, 8, -1)
        return [
            tf.reshape(values, cut)[first_part : first_part + local_parts]
            for values in (images, maps)
        ]

    return tf.data.Dataset.range(2**40).map(lambda step: tuple(share(step))).unbatch()


def compiled(
    strategy, policy="float32", synchronized=True, clip=None, accumulation=None, ema=False
):
    layers = keras.layers
    keras.utils.set_random_seed(1)
    together = synchronized and strategy.num_replicas_in_sync > 1  # as in a run
    with strategy.scope():
        image = keras.Input((8, 8, 3))
        x = layers.Conv2D(4, 3, padding="same", use_bias=False, dtype=policy)(image)
        x = layers.BatchNormalization(momentum=0.5, synchronized=together, dtype=policy)(x)
        maps = layers.Conv2D(1, 1, dtype="float32")(layers.ReLU(dtype=policy)(x))
        model = keras.Model(image, maps)
        fuse(model)
        optimizer = (Adam if synchronized else keras.optimizers.Adam)(
            0.01, global_clipnorm=clip, gradient_accumulation_steps=accumulation, use_ema=ema
        )
        if policy == "mixed_float16":
            optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
        model.compile(optimizer, "mse", metrics=["mae"], jit_compile=False)
    return model


class Losses(keras.callbacks.Callback):
    """Keeps the loss that each step reports."""

    def __init__(self):
        super().__init__()
        self.values = []

    def on_train_batch_end(self, batch, logs=None):
        self.values.append(float(logs["loss"]))


def work(kind, index, folder):
    """One process: trains every case twice, keeps what came out; workers then train for ever."""
    if kind == "mirrored":
        two = [tf.config.LogicalDeviceConfiguration()] * 2
        tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0], two)
        strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    else:
        strategy = distribute.strategy(kind)
    results = {"chief": distribute.is_chief(strategy)}
    results["told"] = [distribute.any_worker(strategy, flag) for flag in (index == 1, False)]
    for name, case in CASES.items():
        outlier = case.pop("outlier", -1)
        model = compiled(strategy, **case)
        data = distribute.feed(strategy, lambda *parts, n=outlier: crops(*parts, n))
        losses = Losses()
        more = {"steps_per_epoch": STEPS, "verbose": 0, "callbacks": [losses]}
        runs = [distribute.fit(model, data, **more).history for _ in range(2)]
        results[f"{name}/steps"] = losses.values
        results[f"{name}/epochs"] = [[run[key][0] for run in runs] for key in ("loss", "mae")]
        for number, variable in enumerate((*model.variables, *model.optimizer.variables)):
            for replica, copy in enumerate(strategy.experimental_local_results(variable.value)):
                results[f"{name}/{number} {variable.name}/{replica}"] = copy.numpy()
    try:
        model.compile("sgd", "mse", jit_compile=True)
        distribute.fit(model, data, steps_per_epoch=1, verbose=0)
    except ValueError as error:
        results["xla"] = str(error)
    np.savez(folder / "part.npz", **results)
    (folder / "part.npz").rename(folder / "results.npz")
    if kind == "multi_worker":
        model.compile("sgd", "mse", jit_compile=False)
        distribute.fit(model, data, epochs=10**6, steps_per_epoch=STEPS, verbose=0)


@pytest.fixture(scope="module")
def processes(tmp_path_factory):
    """{kind and number: (process, its folder)}, all started; those left are killed at the end."""
    environments, started = several_devices.environments(), {}
    for kind, index in (("none", 0), ("mirrored", 0), ("multi_worker", 0), ("multi_worker", 1)):
        folder = tmp_path_factory.mktemp(f"{kind}{index}")
        with open(folder / "output.txt", "w", encoding="utf-8") as output:
            words = [sys.executable, __file__, kind, str(index), str(folder)]
            own = {"env": environments[index], "stdout": output, "stderr": output}
            process = subprocess.Popen(words, **own)
        started[f"{kind}{index}"] = process, folder
    yield started
    for process, _ in started.values():
        process.kill()
        process.wait()


@pytest.fixture(scope="module")
def results(processes):
    """{kind and number: what that process found}."""
    found = {}
    deadline = time.monotonic() + 240
    for name, (process, folder) in processes.items():
        while not (folder / "results.npz").exists():
            output = (folder / "output.txt").read_text()
            assert process.poll() is None, f"{name} ended: {output}"
            assert time.monotonic() < deadline, f"{name} is too slow: {output}"
            time.sleep(0.1)
        with np.load(folder / "results.npz") as file:
            found[name] = dict(file)
    return found


@pytest.mark.parametrize("kind", ["mirrored0", "multi_worker0", "multi_worker1"])
@pytest.mark.parametrize(("case", "tolerance"), [("float32", 1e-5), ("float16", 1e-3)])
def test_losses_and_weights_are_those_of_one_device(results, kind, case, tolerance):
    """Clipping, accumulation and the search for infinities see the gradients of the whole batch."""
    one, several = results["none0"], results[kind]
    names = [name for name in one if name.startswith(f"{case}/")]
    assert len(names) > 12
    for name in names:
        np.testing.assert_allclose(
            several[name], one[name], rtol=tolerance, atol=tolerance, err_msg=name
        )
    scales = [one[name] for name in names if "dynamic_scale" in name]
    assert scales == ([2**13] if case == "float16" else [])  # from 2**15: both steps are left out


def test_replicas_hold_the_same(results):
    """So any of them is the state of all, in the middle of an accumulation too."""
    mirrored, (first, second) = results["mirrored0"], [results[f"multi_worker{i}"] for i in (0, 1)]
    names = [name.removesuffix("/0") for name in first if name.endswith("/0")]
    pairs = {name: (first[f"{name}/0"], second[f"{name}/0"]) for name in names}
    pairs |= {f"{name} ": (mirrored[f"{name}/0"], mirrored[f"{name}/1"]) for name in names}
    assert len(pairs) > 80
    for name, (one, other) in pairs.items():
        own = name.startswith("unsynchronized") and "moving" in name  # of the crops it has seen
        assert np.array_equal(one, other) != own, name


def test_workers_know_the_chief_and_agree(results):
    assert [bool(results[name]["chief"]) for name in results] == [True, True, True, False]
    told = {name: found["told"].tolist() for name, found in results.items()}
    assert told == {name: ["multi" in name, False] for name in results}


def test_xla_is_refused_on_several_devices(results):
    assert "xla" not in results["none0"]
    assert all(
        "one device" in str(found["xla"]) for name, found in results.items() if name != "none0"
    )


def test_a_lost_worker_ends_the_others_with_a_line(results, processes):
    """Or they would wait for it for ever, and nothing would start the job again."""
    (survivor, folder), (lost, _) = processes["multi_worker0"], processes["multi_worker1"]
    assert survivor.poll() is None and lost.poll() is None
    lost.kill()
    assert survivor.wait(60) == 1
    line = (folder / "output.txt").read_text().splitlines()[-1]
    assert line.startswith("Another worker has ended or cannot be reached (")
    assert line.endswith("start all workers again to resume.")


@pytest.mark.parametrize(
    ("name", "config", "message"),
    [
        ("tpus", "", "`distribute` must be one of auto, none.*Received: distribute='tpus'"),
        ("multi_worker", "", "needs the machines in TF_CONFIG"),
        ("auto", "worker: a", "TF_CONFIG must be JSON with a cluster. Received: 'worker: a'"),
        ("slurm", "", "works in a task of `srun`: SLURM_PROCID not found"),
    ],
)
def test_a_strategy_that_cannot_be_is_refused(name, config, message, monkeypatch):
    monkeypatch.setenv("TF_CONFIG", config)
    with pytest.raises(ValueError, match=message):
        distribute.strategy(name)


def test_one_device_is_the_choice_without_a_cluster(monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    assert distribute.strategy("auto") is distribute.strategy("none")


def test_a_slurm_step_describes_the_cluster(monkeypatch):
    variables = {"PROCID": "1", "STEP_NUM_TASKS": "3", "STEP_NODELIST": "node[01-03]"}
    variables["STEP_TASKS_PER_NODE"] = "1(x3)"
    for name, value in variables.items():
        monkeypatch.setenv(f"SLURM_{name}", value)
    assert json.loads(distribute.slurm_config()) == {
        "cluster": {"worker": ["node01:8888", "node02:8888", "node03:8888"]},
        "task": {"type": "worker", "index": 1},
    }


def test_workers_that_join_too_late_are_told_so(monkeypatch):
    tf.constant(1.0) + 1
    config = {"cluster": {"worker": ["127.0.0.1:1", "127.0.0.1:2"]}}
    config["task"] = {"type": "worker", "index": 0}
    monkeypatch.setenv("TF_CONFIG", json.dumps(config))
    with pytest.raises(RuntimeError, match=r"call `distribute\.strategy` first"):
        distribute.strategy("auto")


if __name__ == "__main__":
    try:
        work(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))
    except ConnectionError as lost_worker:
        sys.exit(str(lost_worker))
