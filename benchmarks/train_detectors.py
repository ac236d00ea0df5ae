"""What training detectors costs beside the network: `python benchmarks/train_detectors.py [HEAD]`.

A step of a run, everything included (files, views, targets, checks for NaN, logs), against
`train_on_batch` of the same compiled model on one batch: in the same run, step by step in turns.
Then the share of the input, which other cores do ahead, and, for heads with regions, that of
choosing anchors and regions to train on: IoUs, assignment and sampling, with the losses of the RPN.
The trunk is smaller than any of the papers', so their shares are lower. CPU seconds, which are
steady on a busy machine. One to three minutes, most of them for tracing.
"""

import os
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import ClassVar

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import tensorflow as tf
from processor import seconds

from hrnet_tf.networks.detection import HEADS
from hrnet_tf.networks.specs import HRNetSpec
from hrnet_tf.training import train
from hrnet_tf.training.data.synthetic.scenes import write_dataset
from hrnet_tf.training.detection.recipe import DetectionRecipe
from hrnet_tf.training.detection.region_losses import (
    Truth,
    regions,
    rpn_losses,
    sampled_regions,
)
from hrnet_tf.training.detection.task import TRAINING

SIZE, BATCH, STEPS = (256, 320), 2, 12
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


class Turns(train.Count):
    """After each step of a run, times `train_on_batch` of its model on one batch."""

    batch = model_of_run = keras_function = None
    ours: ClassVar[list[float]] = []
    bare: ClassVar[list[float]] = []

    def on_train_batch_end(self, batch, logs=None):
        super().on_train_batch_end(batch, logs)
        start = time.process_time()
        if self.position.step > 1:  # the first one traces
            self.ours.append(start - self.end)
            self.train_bare()
            self.bare.append(time.process_time() - start)
        Turns.model_of_run, self.end = self.model, time.process_time()

    def train_bare(self):
        """`train_on_batch` by Keras' own step; that of a run would be traced each time."""
        own, self.model.train_function = self.model.train_function, self.keras_function
        self.model.train_on_batch(*self.batch)
        self.keras_function, self.model.train_function = self.model.train_function, own


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
    (inputs, targets, weights), settings = batch, trainee.settings
    outputs = trainee(inputs, training=False)
    names = ("objects", "classes", "size")
    truth = Truth(*(targets[name] for name in names), weights, targets["seed"])
    levels = HEADS[trainee.head].levels
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
        data = iter(TRAINING.batches(TRAINING.source(recipe), recipe, True))
        train.Count, Turns.batch = Turns, next(data)
        train.train(recipe, Path(scratch, "run"), distribute="none")
        ratio = median(a / b for a, b in zip(Turns.ours, Turns.bare, strict=True))
        ours, bare = median(Turns.ours), median(Turns.bare)
        print(f"{head}: a step {ours:.3f} s, bare {bare:.3f} s; median of ratios {ratio:.3f}")
        print(f"least of each: {min(Turns.ours) / min(Turns.bare):.3f}", flush=True)
        share = seconds(lambda: next(data), STEPS)
        print(f"input {share:.4f} s: {share / bare:.1%} of a step", flush=True)
        if HEADS[head].stages:
            share = choosing(Turns.model_of_run, Turns.batch)
            print(f"assigning and sampling {share:.4f} s: {share / bare:.1%} of a step")


if __name__ == "__main__":
    main((*sys.argv[1:], "faster_rcnn")[0])
