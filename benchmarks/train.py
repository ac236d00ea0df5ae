"""What training costs: `python benchmarks/train.py [ROUNDS] [pose|classification] [KIND…]`.

The time from the start of a process to its first finished step, and of the steps after it, wall and
CPU seconds; on a busy machine the latter are the steadier. Pose is W32, 256x192, with Adam;
classification W18, 128x128, with SGD; batches of 8. A process for each kind, one after the other:

    ours, ours_bfloat16     all of a run as the command starts it: reading of annotations and
                            photos, augmentation, targets, checks for NaN, logs; also its phases
    torch, torch_bfloat16   PyTorch, channels last, one random batch: the same network (see
                            `torch_network.py`, which tells what to install)
    bare                    Keras' `train_on_batch` with its own optimizer, one random batch

Half a minute for each kind; bare Keras takes two minutes to trace W32. Without KINDs pose is ours
against PyTorch, classification ours against bare Keras. The first kind is what others are divided
by.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from statistics import median

from hrnet_tf.training.data.synthetic.shapes import SHAPES, write_shapes

BATCH, STEPS = 8, 4  # steps after the first
TASKS = {
    "pose": ("torch", "torch_bfloat16", "ours", "ours_bfloat16"),
    "classification": ("bare", "ours"),
}
KINDS = (*TASKS["pose"], "bare")


def clock():
    """Seconds on the wall, and of CPU by this process."""
    return time.time(), sum(os.times()[:2])


def bare(folder):
    """Times after each step of plain Keras."""
    import keras
    import numpy as np

    from hrnet_tf.networks.classification import classification
    from hrnet_tf.networks.pose import pose

    if folder.name == "classification":
        model = classification("w18", len(SHAPES), (128, 128, 3))
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        sgd = keras.optimizers.SGD(0.05, 0.9, nesterov=True, weight_decay=1e-4)
        model.compile(sgd, loss)
        targets = np.zeros(BATCH, np.int32)
    else:
        model = pose("w32", (256, 192, 3), 17)
        model.compile(keras.optimizers.Adam(1e-3), "mse")
        targets = np.zeros((BATCH, 64, 48, 17), np.float32)
    shape = (BATCH, *model.input_shape[1:])
    images = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    times = []
    for _ in range(1 + STEPS):
        model.train_on_batch(images, targets)
        times.append(clock())
    return times


def torch(folder, half=False):
    """Times after each step of PyTorch."""
    from torch_network import torch_pose

    from hrnet_tf.networks.specs import SPECS

    if folder.name != "pose":
        sys.exit("The network of PyTorch is one for poses.")
    network = torch_pose(SPECS["w32"])
    import torch

    network = network.to(memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(network.parameters(), 1e-3)
    images = torch.randn(BATCH, 3, 256, 192).to(memory_format=torch.channels_last)
    targets = torch.zeros(BATCH, 17, 64, 48)
    times = []
    for _ in range(1 + STEPS):
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            maps = network(images)
        (0.5 * (maps.float() - targets).square()).mean().backward()
        optimizer.step()
        times.append(clock())
    return times


def torch_bfloat16(folder):
    """Times after each step of PyTorch with `autocast`."""
    return torch(folder, half=True)


def ours(folder, precision="float32"):
    """Times after each step of a run; the phases up to the first go to stderr."""
    from hrnet_tf.quiet import import_keras

    import_keras()
    import keras

    from hrnet_tf.training import train
    from hrnet_tf.training.overrides import override
    from hrnet_tf.training.recipe import load_recipe

    times, phases = [], [("imports", clock())]

    class Count(train.Count):
        def on_train_batch_end(self, batch, logs=None):
            super().on_train_batch_end(batch, logs)
            times.append(clock())

    def build(*arguments):
        networks = built(*arguments)
        phases.append(("network and optimizer", clock()))
        return networks

    def train_step(self, data):
        phases.append(("pipeline of the data", clock()))
        logs = traced(self, data)
        phases.append(("tracing of the step", clock()))
        return logs

    train.Count, built, train.build = Count, train.build, build
    traced, keras.Model.train_step = keras.Model.train_step, train_step
    changes = {"weights": "", "batch_size": str(BATCH), "epochs": "1", "evaluate_every": "0"}
    changes["precision"] = precision
    if folder.name == "classification":
        page = "imagenet_w18"
        names = ",".join(SHAPES)
        changes |= {"train_images": str(folder), "input_size": "128,128", "classes": names}
    else:
        page = "coco_w32_256x192"
        annotations = str(folder / "person_keypoints.json")
        changes |= {"train_annotations": annotations, "train_images": str(folder / "images")}
        changes |= {"val_annotations": ""}
    recipe = override(load_recipe(page), changes)
    train.train(recipe, folder.with_name(f"run{os.getpid()}"))
    phases.append(("optimization of its graph, first run", times[0]))
    before = 0.0
    for name, (_, cpu) in phases:
        print(f"    {name:<38} CPU {cpu - before:5.1f} s", file=sys.stderr)
        before = cpu
    return times[: 1 + STEPS]


def ours_bfloat16(folder):
    """Times after each step of a run in mixed precision."""
    return ours(folder, "mixed_bfloat16")


def measure(kind, folder):
    """(wall, cpu) of the first step, and of the median step after it."""
    command = [sys.executable, __file__, kind, folder]
    start = time.time()
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    times = json.loads(output.splitlines()[-1])
    first = (times[0][0] - start, times[0][1])
    steps = [(b[0] - a[0], b[1] - a[1]) for a, b in pairwise(times)]
    walls, cpus = zip(*steps, strict=True)
    return first, (median(walls), median(cpus))


def main(rounds, task, kinds):
    from hrnet_tf.training.data.synthetic.scenes import write_dataset

    write = {"pose": write_dataset, "classification": write_shapes}[task]
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch, task)
        write(folder, BATCH * (2 + STEPS), seed=0)
        for _ in range(rounds):
            found = {kind: measure(kind, folder) for kind in kinds}
            for number, what in enumerate(("first step after", "a step takes")):
                print(f"{what:<18} {'wall s':>9} {'ratio':>6} {'CPU s':>9} {'ratio':>6}")
                first = found[kinds[0]][number]
                for kind in kinds:
                    wall, cpu = found[kind][number]
                    ratios = wall / first[0], cpu / first[1]
                    print(f"  {kind:<16} {wall:9.2f} {ratios[0]:6.2f} {cpu:9.2f} {ratios[1]:6.2f}")


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    words = sys.argv[1:]
    if len(words) == 2 and words[0] in KINDS and Path(words[1]).is_dir():
        print(json.dumps(globals()[words[0]](Path(words[1]))))
    else:
        numbers = [int(word) for word in words if word.isdecimal()]
        task = next((word for word in words if word in TASKS), "pose")
        kinds = tuple(word for word in words if word in KINDS) or TASKS[task]
        main((*numbers, 1)[0], task, kinds)
