"""How fast the input of a detector is on one core: `python benchmarks/detector_input.py [ROUNDS]`.

Pictures of COCO from HRNET_TF_DATA, or else drawn JPEGs of 640x480: decoded, scaled with their
ratio kept, mirrored, normalised, padded, with their boxes. Two sizes: to fit 1333x800, the papers',
and 320x320. Rows add FCOS's targets, or masks. Beside it the same steps as mmdetection has them,
one picture at a time with OpenCV and pycocotools, but FCOS's targets, which mmdetection makes in
the step. Both run in this process on one core, turn by turn; times are those of the processor. Two
minutes.

OpenCV is no dependency of this package: `pip install opencv-python-headless` first.
"""

import dataclasses
import os
import statistics
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})  # before TensorFlow counts cores

# ruff: noqa: E402
import numpy as np
from processor import seconds
from pycocotools import mask as coco_mask

from hrnet_tf.training.data.synthetic.scenes import write_dataset
from hrnet_tf.training.detection.batches import batches
from hrnet_tf.training.detection.pictures import from_records
from hrnet_tf.training.detection.recipe import DetectionRecipe
from hrnet_tf.training.detection.source import read_of, settle

try:
    import cv2
except ImportError:
    sys.exit("This benchmark compares with OpenCV: pip install opencv-python-headless")

DRAWN, STEPS = 24, 4
SIZES = {"1333x800": ((1344, 1344), (1333, 800), 2), "320x320": ((320, 320), (320, 320), 8)}
ROWS = {"boxes": "faster_rcnn", "FCOS's targets": "fcos", "masks": "mask_rcnn"}


def recipe_of(scratch):
    """A recipe over the pictures, whose sizes and head are replaced for each measurement."""
    if data := os.environ.get("HRNET_TF_DATA"):
        folder = Path(data, "coco_tiny_instances")
        paths = folder / "annotations" / "instances_train2017.json", folder / "train2017"
    else:
        folder = write_dataset(Path(scratch), DRAWN, seed=0, size=(480, 640)).parent
        paths = folder / "instances.json", folder / "images"
    annotations, images = map(str, paths)
    values = {"train_annotations": annotations, "train_images": images}
    return settle(
        DetectionRecipe(
            arch="w18", input_size=(320, 320), classes=(), category_ids=(), channels="rgb", **values
        )
    )


class Original:
    """Resize, RandomFlip, Normalize and Pad of mmdetection."""

    def __init__(self, records, recipe, masks):
        self.records, self.recipe, self.masks = records, recipe, masks
        self.rng = np.random.default_rng(0)
        self.mean, self.std = (
            255 * np.float64(each) for each in (recipe.card.mean, recipe.card.std)
        )

    def batch(self):
        numbers = self.rng.integers(len(self.records), size=self.recipe.batch_size)
        found = [self.sample(self.records[number]) for number in numbers]
        return np.stack([image for image, *_ in found]), found

    def sample(self, record):
        image = cv2.imread(str(record.image.path), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
        height, width = image.shape[:2]
        long, short = max(self.recipe.sides), min(self.recipe.sides)
        scale = min(long / max(height, width), short / min(height, width))
        size = int(width * scale + 0.5), int(height * scale + 0.5)
        image = cv2.resize(image, size)
        boxes = record.boxes * np.tile(np.float32(size) / (width, height), 2)
        masks = [self.mask(each, (height, width), size) for each in record.masks if self.masks]
        if self.rng.random() < self.recipe.flip_probability:
            image = cv2.flip(image, 1)
            boxes = np.stack(
                [size[0] - boxes[:, 2], boxes[:, 1], size[0] - boxes[:, 0], boxes[:, 3]]
            )
            masks = [cv2.flip(each, 1) for each in masks]
        image = cv2.cvtColor(image, cv2.COLOR_BGR2RGB).astype(np.float32)
        cv2.subtract(image, (*self.mean, 0), image)
        cv2.multiply(image, (*1 / self.std, 0), image)
        canvas = np.zeros((*self.recipe.input_size, 3), np.float32)
        canvas[: size[1], : size[0]] = image
        drawn = np.zeros((len(masks), *self.recipe.input_size), np.uint8)
        for place, mask in zip(drawn, masks, strict=True):
            place[: size[1], : size[0]] = mask
        return canvas, boxes, drawn

    @staticmethod
    def mask(counts, size, scaled):
        if not counts:
            return np.zeros(scaled[::-1], np.uint8)
        mask = coco_mask.decode({"counts": counts, "size": size})
        return cv2.resize(mask, scaled, interpolation=cv2.INTER_NEAREST)


def check(records, recipe):
    """Both make the same inputs where nothing is drawn."""
    recipe = dataclasses.replace(recipe, flip_probability=0.0)
    inputs, *_ = next(iter(batches(from_records(records), recipe, augment=False)))
    original = Original(records, recipe, masks=False)
    for number, image in enumerate(np.asarray(inputs["image"])):
        assert np.abs(image - original.sample(records[number])[0]).max() < 0.03


def measure(records, recipe, name, rounds):
    """Prints pictures per second of one size."""
    size, sides, count = SIZES[name]
    recipe = dataclasses.replace(recipe, input_size=size, sides=sides, batch_size=count)
    check(records, dataclasses.replace(recipe, head="faster_rcnn"))
    runs = {}
    for row, head in ROWS.items():
        data = batches(from_records(records), dataclasses.replace(recipe, head=head), True)
        runs[row] = iter(data).__next__
    for row, masks in (("OpenCV: boxes", False), ("OpenCV: masks", True)):
        runs[row] = Original(records, recipe, masks).batch
    times = {row: [] for row in runs}
    for row in [*runs] * (rounds + 1):
        times[row].append(seconds(runs[row], STEPS) / count)
    for row, found in times.items():
        base = times["OpenCV: masks" if "masks" in row else "OpenCV: boxes"][1:]
        ratio = statistics.median(b / v for b, v in zip(base, found[1:], strict=True))
        rate = 1 / statistics.median(found[1:])
        print(f"{name}  {row:16s}{rate:7.1f} pictures/s per core {ratio:6.2f} x OpenCV", flush=True)


def main(rounds):
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as scratch:
        recipe = recipe_of(scratch)
        records = read_of(recipe, "train", lambda line: None)
        for name in SIZES:
            measure(records, recipe, name, rounds)


if __name__ == "__main__":
    main(int((*sys.argv[1:], 5)[0]))
