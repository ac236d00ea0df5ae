"""What training detectors costs beside the network: `python benchmarks/train_detectors.py [HEAD]`.

First a step of a run, everything included (views, targets, checks for NaN, logs), against
`train_on_batch` of the same compiled model on one batch. Then, for heads with regions, the share of
choosing anchors and regions to train on: IoUs, assignment and sampling, with the losses of the RPN.
The trunk is smaller than any of the papers', so their shares are lower. CPU seconds, which are
steady on a busy machine.
"""

import os
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from statistics import median

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import tensorflow as tf

from hrnet_tf.networks.detection import HEADS
from hrnet_tf.networks.specs import HRNetSpec
from hrnet_tf.training import train
from hrnet_tf.training.data.synthetic.scenes import write_dataset
from hrnet_tf.training.detection.recipe import DetectionRecipe
from hrnet_tf.training.detection.region_losses import (
    SETTINGS,
    Truth,
    regions,
    rpn_losses,
    sampled_regions,
)
from hrnet_tf.training.detection.task import TRAINING
from hrnet_tf.training.detection.trainee import LEVELS
from hrnet_tf.training.loop.networks import build

SIZE, BATCH, STEPS = (256, 320), 2, 5
SMALL = HRNetSpec(width=8, stage1_blocks=1, stage1_planes=16, modules=(1, 1, 1), blocks=1)


def recipe_of(head: str, folder: Path) -> DetectionRecipe:
    """A recipe over a few drawings."""
    path = write_dataset(folder / "set", BATCH * (STEPS + 1), seed=0, size=SIZE)
    return DetectionRecipe(
        arch=SMALL,
        input_size=SIZE,
        head=head,
        sides=SIZE[::-1],
        classes=("person", "thing"),
        category_ids=(1, 2),
        train_annotations=str(path.parent / "instances.json"),
        train_images=str(path.parent / "images"),
        fixed_statistics=False,
        milestones=(),
        epochs=1,
        batch_size=BATCH,
        evaluate_every=0,
    )


def run_step(recipe: DetectionRecipe, folder: Path) -> float:
    """CPU seconds of a step of a run, the median without the first."""
    times = []

    class Count(train.Count):
        def on_train_batch_end(self, batch, logs=None):
            super().on_train_batch_end(batch, logs)
            times.append(time.process_time())

    train.Count = Count
    train.train(recipe, folder / "run", distribute="none")
    return median(b - a for a, b in pairwise(times))


def timed(call) -> float:
    """CPU seconds of a call, the median without the first."""
    times = []
    for _ in range(STEPS + 1):
        start = time.process_time()
        call()
        times.append(time.process_time() - start)
    return median(times[1:])


def choosing(trainee, batch) -> float:
    """CPU seconds of assigning and sampling anchors and regions."""
    (inputs, targets, weights), settings = batch, SETTINGS[trainee.head]
    outputs = trainee(inputs, training=False)
    names = ("objects", "classes", "size")
    truth = Truth(*(targets[name] for name in names), weights, targets["seed"])
    levels = LEVELS["regions"]
    maps = [(outputs[f"objectness_P{i}"], outputs[f"anchor_deltas_P{i}"]) for i in levels]
    boxes, usable = regions(maps, truth, settings)

    @tf.function(autograph=False)
    def choose():
        chosen = [
            sampled_regions(boxes, usable, truth, rule, f"stage {stage}")[1].rows
            for stage, rule in enumerate(settings.rules)
        ]
        return rpn_losses(maps, truth, settings), chosen

    return timed(choose)


def main(head: str) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        recipe = recipe_of(head, Path(scratch))
        ours = run_step(recipe, Path(scratch))
        batch = next(iter(TRAINING.batches(TRAINING.source(recipe), recipe, True)))
        networks = build(recipe, TRAINING, tf.distribute.get_strategy(), 100, False)
        bare = timed(lambda: networks.model.train_on_batch(*batch))
        print(f"{head}: a step {ours:.2f} s, bare {bare:.2f} s: {ours / bare:.2f}", flush=True)
        if HEADS[head][0]:
            share = choosing(networks.model, batch)
            print(f"{head}: assigning and sampling {share:.3f} s: {share / bare:.1%} of a step")


if __name__ == "__main__":
    main((*sys.argv[1:], "faster_rcnn")[0])
