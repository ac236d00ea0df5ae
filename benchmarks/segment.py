"""How fast segmentation reads, trains and judges: `python benchmarks/segment.py [PART …]`.

- input: batches of 520x520 crops with a mask from JPEG files of 640x480, scaled 0.5 to 2.1 times
  a long side of 520 pixels, on one core; beside it the same steps by OpenCV, or by Pillow and NumPy
  where OpenCV is not installed.
- step: a step of `fit` with our loss and optimizer, and `train_on_batch` of plain Keras with
  cross-entropy and SGD on the same network at 128x128.
- judge: which share of an evaluation's time is spent inside the network (W18-small-v2, 512x512).

Times of the input are those of the processor; all are taken turn by turn in this process.
"""

import os
import statistics
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
WHAT = sys.argv[1:] or ["input", "step", "judge"]
if WHAT == ["input"]:
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})  # before TensorFlow counts cores

# ruff: noqa: E402
import keras
import numpy as np
import tensorflow as tf
from PIL import Image
from processor import seconds

import hrnet_tf
from hrnet_tf.labels.classes import VOC
from hrnet_tf.patches.keras_normalization import fuse
from hrnet_tf.tasks.segmentation.predictor import SegmentationPredictor
from hrnet_tf.training.evaluate import judge
from hrnet_tf.training.loop.optimizers import optimizer
from hrnet_tf.training.segmentation.batches import batches
from hrnet_tf.training.segmentation.evaluator import evaluator
from hrnet_tf.training.segmentation.losses import loss
from hrnet_tf.training.segmentation.recipe import SegmentationRecipe
from hrnet_tf.training.segmentation.source import training_pictures

try:
    import cv2

    cv2.setNumThreads(1)
except ImportError:
    cv2 = None

BATCH, STEPS, ROUNDS, PICTURES = 8, 4, 5, 32
MEAN, STD = np.float32((0.485, 0.456, 0.406)), np.float32((0.229, 0.224, 0.225))


def write_pictures(folder):
    """Photos with smooth areas and noise, and masks of blocks."""
    rng = np.random.default_rng(0)
    for name in ("images", "masks"):
        Path(folder, name).mkdir()
    for number in range(PICTURES):
        coarse = Image.fromarray(rng.integers(0, 256, (24, 32, 3)).astype(np.uint8))
        pixels = np.asarray(coarse.resize((640, 480), Image.Resampling.BICUBIC)).astype(int)
        pixels = (pixels + rng.normal(0, 6, (480, 640, 1))).clip(0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(Path(folder, "images", f"{number}.jpg"), quality=92)
        blocks = rng.integers(0, 21, (12, 16)).astype(np.uint8).repeat(40, 0).repeat(40, 1)
        Image.fromarray(blocks).save(Path(folder, "masks", f"{number}.png"))
    values = {"arch": "w18_small_v2", "input_size": (520, 520), "classes": VOC}
    values |= {"train_annotations": f"{folder}/masks", "train_images": f"{folder}/images"}
    return SegmentationRecipe(
        **values, resize="long", base_size=520, batch_size=BATCH, optimizer="sgd"
    )


def original(rng, folder):
    """The steps of `gen_sample` and `__getitem__`, for one picture."""
    number = rng.integers(PICTURES)
    image, mask = (
        Path(folder, *each) for each in (("images", f"{number}.jpg"), ("masks", f"{number}.png"))
    )
    scale = 0.5 + rng.integers(17) / 10
    size = int(520 * scale + 0.5), int(480 * int(520 * scale + 0.5) / 640 + 0.5)
    if cv2:
        image = cv2.resize(cv2.imread(str(image)), size, interpolation=cv2.INTER_LINEAR)
        mask = cv2.resize(cv2.imread(str(mask), 0), size, interpolation=cv2.INTER_NEAREST)
        image = image[..., ::-1]
    else:
        image = np.asarray(Image.open(image).resize(size, Image.Resampling.BILINEAR))
        mask = np.asarray(Image.open(mask).resize(size, Image.Resampling.NEAREST))
    margin = [(0, max(520 - side, 0)) for side in image.shape[:2]]
    image, mask = np.pad(image, (*margin, (0, 0))), np.pad(mask, margin, constant_values=255)
    x, y = rng.integers(image.shape[1] - 519), rng.integers(image.shape[0] - 519)
    image, mask = image[y : y + 520, x : x + 520], mask[y : y + 520, x : x + 520]
    image = (image.astype(np.float32) / 255 - MEAN) / STD
    flip = rng.choice(2) * 2 - 1
    return np.ascontiguousarray(image[:, ::flip]), np.ascontiguousarray(mask[:, ::flip])


def of_input(folder, recipe):
    rng = np.random.default_rng(0)
    name = "OpenCV" if cv2 else "Pillow and NumPy"

    def theirs():
        return [
            np.stack(x) for x in zip(*(original(rng, folder) for _ in range(BATCH)), strict=True)
        ]

    ours = iter(batches(training_pictures(recipe), recipe, augment=True)).__next__
    times = {name: [], "ours": []}
    for each in range(ROUNDS + 1):
        for key, run in ((name, theirs), ("ours", ours)):
            spent = seconds(run, STEPS) / BATCH
            times[key] += [spent] if each else []
    ratio = statistics.median(a / b for a, b in zip(times[name], times["ours"], strict=True))
    rates = {key: 1 / statistics.median(values) for key, values in times.items()}
    print(f"input: {rates['ours']:.0f} crops/s per core, {name} {rates[name]:.0f}: {ratio:.2f} x")


def of_steps(recipe):
    recipe = SegmentationRecipe(**{**vars(recipe), "input_size": (128, 128), "expected": None})
    rng = np.random.default_rng(0)
    images = rng.normal(size=(BATCH, 128, 128, 3)).astype(np.float32)
    classes = rng.integers(0, 21, (BATCH, 128, 128)).astype(np.uint8)
    runs = {}
    for name in ("Keras", "ours"):
        full = name == "Keras"  # its loss needs logits of the masks' size
        model = hrnet_tf.segmentation("w18_small_v2", 21, (128, 128, 3), full_size=full)
        if full:
            model.compile(
                keras.optimizers.SGD(0.01, momentum=0.9, weight_decay=5e-4),
                keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            )
            runs[name] = lambda model=model: model.train_on_batch(images, classes)
        else:
            fuse(model)
            model.compile(optimizer(recipe, 100), loss(recipe), jit_compile=False)
            weights = np.ones(BATCH, np.float32)
            data = iter(tf.data.Dataset.from_tensors((images, classes, weights)).repeat())
            model.make_train_function()
            model._symbolic_build(data_batch=(images, classes, weights))
            runs[name] = partial(model.train_function, data)
    times = {name: [] for name in runs}
    for each in range(ROUNDS + 1):
        for name, run in runs.items():
            start = time.process_time()
            run()
            times[name] += [time.process_time() - start] if each else []
    keras_time, our_time = (statistics.median(times[name]) for name in ("Keras", "ours"))
    print(
        f"step: ours {our_time:.2f} s of CPU, Keras {keras_time:.2f} s: {our_time / keras_time:.2f}"
    )


def of_evaluation(recipe):
    model = hrnet_tf.segmentation("w18_small_v2", 21, (512, 512, 3))
    predictor = SegmentationPredictor(model, recipe.card)
    made = evaluator(recipe.card, recipe.data("train"))
    judge(predictor, made)  # the first call compiles
    before, start = predictor.timings.total("network"), time.perf_counter()
    judge(predictor, made)
    whole = time.perf_counter() - start
    inside = predictor.timings.total("network") - before
    print(f"judge: {PICTURES / whole:.1f} pictures/s, {inside / whole:.0%} inside the network")


def main():
    with tempfile.TemporaryDirectory() as scratch:
        recipe = write_pictures(scratch)
        if "input" in WHAT:
            of_input(scratch, recipe)
        if "step" in WHAT:
            of_steps(recipe)
        if "judge" in WHAT:
            of_evaluation(recipe)


if __name__ == "__main__":
    main()
