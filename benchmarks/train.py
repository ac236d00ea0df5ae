"""What training costs: `python benchmarks/train.py [ROUNDS] [pose|classification]`.

Beside plain Keras, `train_on_batch` of the same network with Keras' Adam on one random batch: the
time from the start of the process to its first finished step, and of the steps after it: some
minutes for each round. Pose is W32, 256x192; classification W18, 128x128, with SGD; batches of 8; a
process for each, one after the other. Ours is all of a run as the command
starts it: reading of annotations and photos, augmentation, targets, checks for NaN, logs. Wall and
CPU seconds; on a busy machine the latter are the steadier.
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
TASKS = ("pose", "classification")


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


def ours(folder):
    """Times after each step of a run."""
    from hrnet_tf.training import train
    from hrnet_tf.training.overrides import override
    from hrnet_tf.training.recipe import load_recipe

    times = []

    class Count(train.Count):
        def on_train_batch_end(self, batch, logs=None):
            super().on_train_batch_end(batch, logs)
            times.append(clock())

    train.Count = Count
    changes = {"weights": "", "batch_size": str(BATCH), "epochs": "1", "evaluate_every": "0"}
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
    return times[: 1 + STEPS]


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


def main(rounds, task):
    from hrnet_tf.training.data.synthetic.scenes import write_dataset

    write = {"pose": write_dataset, "classification": write_shapes}[task]
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch, task)
        write(folder, BATCH * (2 + STEPS), seed=0)
        for _ in range(rounds):
            found = {kind: measure(kind, folder) for kind in ("bare", "ours")}
            for number, what in enumerate(("first step after", "a step takes")):
                (wall, cpu), (our_wall, our_cpu) = (found[kind][number] for kind in found)
                print(
                    f"{what:<17} wall {our_wall:6.1f} s, Keras {wall:6.1f} s: {our_wall / wall:.2f}"
                    f"   CPU {our_cpu:6.1f} s, Keras {cpu:6.1f} s: {our_cpu / cpu:.2f}",
                    flush=True,
                )


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if sys.argv[1:2] in (["bare"], ["ours"]):
        print(json.dumps(globals()[sys.argv[1]](Path(sys.argv[2]))))
    else:
        numbers = [int(word) for word in sys.argv[1:] if word.isdecimal()]
        main((*numbers, 1)[0], (*(word for word in sys.argv[1:] if word in TASKS), "pose")[0])
