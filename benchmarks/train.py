"""What training costs: `python benchmarks/train.py [ROUNDS]`, some minutes for each round.

Beside plain Keras, `train_on_batch` of the same network with Keras' Adam on one random batch: the
time from the start of the process to its first finished step, and of the steps after it. W32,
256x192, batches of 8; a process for each, one after the other. Ours is all of a run as the command
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

BATCH, STEPS = 8, 4  # steps after the first


def clock():
    """Seconds on the wall, and of CPU by this process."""
    return time.time(), sum(os.times()[:2])


def bare(folder):
    """Times after each step of plain Keras."""
    import keras
    import numpy as np

    from hrnet_tf.networks.pose import pose

    model = pose("w32", (256, 192, 3), 17)
    model.compile(keras.optimizers.Adam(1e-3), "mse")
    images = np.random.default_rng(0).normal(size=(BATCH, 256, 192, 3)).astype(np.float32)
    maps = np.zeros((BATCH, 64, 48, 17), np.float32)
    times = []
    for _ in range(1 + STEPS):
        model.train_on_batch(images, maps)
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
    recipe = override(
        load_recipe("coco_w32_256x192"),
        {
            "train_annotations": str(folder / "person_keypoints.json"),
            "train_images": str(folder / "images"),
            "val_annotations": "",
            "weights": "",
            "batch_size": str(BATCH),
            "epochs": "1",
        },
    )
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


def main(rounds):
    from hrnet_tf.training.data.synthetic.scenes import write_dataset

    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch, "set")
        write_dataset(folder, BATCH * (2 + STEPS), seed=0)
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
        main(int(sys.argv[1]) if sys.argv[1:] else 1)
