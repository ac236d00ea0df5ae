"""How fast the input pipeline is on one core: `python benchmarks/pipeline.py`.

Crops of 256x192 with every augmentation of the COCO recipes and MSRA targets, from the images of
HRNET_TF_DATA or else from drawn JPEGs of 640x480. Beside it the same steps as the original has
them, one person at a time with OpenCV and NumPy: imread, mirror the image, warpAffine, normalise,
one Gaussian per joint. Both run in this process on one core, turn by turn; times are those of the
processor, so that other work on the machine does not count. Prints samples per second, the ratio
to OpenCV (median over rounds), and how many cores feed an accelerator.

OpenCV is no dependency of this package: `pip install opencv-python-headless` first.
"""

import os
import statistics
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})  # before TensorFlow counts cores

# ruff: noqa: E402
import numpy as np
import tensorflow as tf
from noise import noise
from processor import seconds

from hrnet_tf.labels.keypoint_sets import COCO
from hrnet_tf.training.pose.batches import batches
from hrnet_tf.training.pose.people import People, images
from hrnet_tf.training.pose.readers import FORMATS
from hrnet_tf.training.pose.readers.coco import ImageFile, Record
from hrnet_tf.training.pose.recipe import PoseRecipe
from hrnet_tf.training.pose.records import read_people, write_people

try:
    import cv2
except ImportError:
    sys.exit("This benchmark compares with OpenCV: pip install opencv-python-headless")

ROUNDS, STEPS = 9, 8
DRAWN = 60
RATES = (500, 1000, 2500, 5000)
RECIPE = PoseRecipe(
    arch="w32", input_size=(256, 192), train_annotations="", train_images="", batch_size=32
)


def draw_people(folder):
    """One person in each JPEG of noise."""
    rng = np.random.default_rng(0)
    people = []
    for number in range(DRAWN):
        path = Path(folder, f"{number:03}.jpg")
        noise(rng, (640, 480)).save(path)
        size = rng.uniform((60, 120), (250, 400))
        box = np.concatenate((rng.uniform(0, (640, 480) - size), size))
        joints = np.column_stack((rng.uniform(box[:2], box[:2] + size, (17, 2)), np.full(17, 2)))
        people.append(Record(number, ImageFile(number, path, (480, 640)), box, joints, 1e4, False))
    return people


class Original:
    """The steps of `lib/dataset/JointsDataset.py`, one person at a time."""

    mean = np.float32((0.485, 0.456, 0.406))
    std = np.float32((0.229, 0.224, 0.225))

    def __init__(self, records, in_memory):
        self.records, self.rng = records, np.random.default_rng(0)
        self.decoded = [self.decode(n) for n in range(len(records))] if in_memory else None

    def decode(self, number):
        path = str(self.records[number].image.path)
        return cv2.imread(path, cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)

    def batch(self):
        numbers = self.rng.integers(len(self.records), size=RECIPE.batch_size)
        crops, maps, weights = zip(*map(self.sample, numbers), strict=True)
        return np.stack(crops), np.stack(maps), np.stack(weights)

    def sample(self, number, augment=True):
        record, rng = self.records[number], self.rng
        image = self.decoded[number] if self.decoded else self.decode(number)
        joints, visible = record.keypoints[:, :2].copy(), record.keypoints[:, 2] > 0
        x, y, w, h = record.box
        center, width, angle = np.array((x + w / 2, y + h / 2)), max(w, 0.75 * h) * 1.25, 0.0
        if augment:
            if visible.sum() > 8 and rng.random() < 0.3:
                center, width = self.half_body(joints, visible)
            width *= np.clip(1 + 0.35 * rng.normal(), 0.65, 1.35)
            angle = np.clip(45 * rng.normal(), -90, 90) if rng.random() < 0.6 else 0.0
        if augment and rng.random() < 0.5:
            image = image[:, ::-1]
            joints[:, 0] = image.shape[1] - 1 - joints[:, 0]
            center[0] = image.shape[1] - 1 - center[0]
            order = list(range(17))
            for a, b in COCO.flip_pairs:
                order[a], order[b] = b, a
            joints, visible = joints[order], visible[order]
        matrix = self.affine(center, width, angle)
        crop = cv2.warpAffine(image, matrix, (192, 256), flags=cv2.INTER_LINEAR)
        crop = cv2.cvtColor(crop, cv2.COLOR_BGR2RGB).astype(np.float32)
        crop = (crop / 255 - self.mean) / self.std
        for joint in range(17):
            if visible[joint]:
                joints[joint] = matrix @ (*joints[joint], 1.0)
        return crop, *self.target(joints, visible)

    def half_body(self, joints, visible):
        above = [j for j in range(17) if visible[j] and j in COCO.upper_body]
        below = [j for j in range(17) if visible[j] and j not in COCO.upper_body]
        prefer = self.rng.normal() < 0.5 and len(above) > 2
        points = joints[above if prefer or len(below) <= 2 else below]
        w, h = points.max(axis=0) - points.min(axis=0)
        return points.mean(axis=0), max(w, 0.75 * h, 1e-3) * 1.5

    def affine(self, center, width, angle):
        turn = np.pi * angle / 180
        arm = 0.5 * width * np.array((np.sin(turn), -np.cos(turn)))
        source = np.float32((center, center + arm, center + arm + (arm[1], -arm[0])))
        return cv2.getAffineTransform(source, np.float32(((96, 128), (96, 32), (0, 32))))

    def target(self, joints, visible):
        maps, weights = np.zeros((64, 48, 17), np.float32), visible.astype(np.float32)
        grid = np.arange(13, dtype=np.float32)
        for joint in range(17):
            x, y = int(joints[joint, 0] / 4 + 0.5), int(joints[joint, 1] / 4 + 0.5)
            if x - 6 >= 48 or y - 6 >= 64 or x + 7 < 0 or y + 7 < 0:
                weights[joint] = 0
            if weights[joint] > 0.5:
                bump = np.exp(-((grid - 6) ** 2 + (grid[:, None] - 6) ** 2) / 8)
                left, right = max(0, x - 6), min(48, x + 7)
                top, bottom = max(0, y - 6), min(64, y + 7)
                part = bump[top - y + 6 : bottom - y + 6, left - x + 6 : right - x + 6]
                maps[top:bottom, left:right, joint] = part
        return maps, weights


def check(records):
    """Both make the same crops and targets where nothing is drawn."""
    batch = next(iter(batches(records, RECIPE, augment=False)))
    original = Original(records[: RECIPE.batch_size], in_memory=False)
    for number, (crop, maps, weights) in enumerate(zip(*map(np.array, batch), strict=True)):
        wanted, targets, visible = original.sample(number, augment=False)
        assert np.abs(crop - wanted).mean() < 0.02
        assert np.abs(maps - targets).mean() < 1e-4  # rounding moves some by a pixel
        assert np.array_equal(weights[0, 0], visible)


def decoded(records):
    """The people of images that lie decoded in memory."""
    files = images(records)
    pixels = [tf.io.decode_image(tf.io.read_file(path), 3) for path in files.rows["path"]]
    ends = np.cumsum([p.numpy().size for p in pixels])
    flat = tf.concat([tf.reshape(p, [-1]) for p in pixels], 0)

    def load(row, window):
        stride = 3 * row["size"][1]
        first = row["start"] + tf.cast(window[0] * stride, tf.int64)
        part = tf.slice(flat, [first], [tf.cast((window[2] - window[0]) * stride, tf.int64)])
        return tf.reshape(part, (-1, row["size"][1], 3)), tf.stack((window[0], 0))

    return People({**files.rows, "start": np.concatenate(([0], ends[:-1]))}, load)


def main():
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as scratch:
        if data := os.environ.get("HRNET_TF_DATA"):
            folder = Path(data, "coco_kp_subset")
            annotations = folder / "annotations" / "person_keypoints_train2017.json"
            records = FORMATS["coco"](annotations, folder / "train2017", lambda line: None)
        else:
            records = draw_people(scratch)
        check(records)
        write_people(records, RECIPE, Path(scratch, "records"), shards=2)
        sources = {
            "JPEG files": records,
            "decoded images": decoded(records),
            "TFRecords": read_people(str(Path(scratch, "records", "*.tfrecord"))),
        }
        runs = {
            "OpenCV from JPEG files": Original(records, in_memory=False).batch,
            "OpenCV from decoded images": Original(records, in_memory=True).batch,
        }
        for name, source in sources.items():
            runs[name] = iter(batches(source, RECIPE, augment=True)).__next__
        times = {name: [] for name in runs}
        for name in [*runs] * (ROUNDS + 1):
            times[name].append(seconds(runs[name], STEPS) / RECIPE.batch_size)
    report({name: values[1:] for name, values in times.items()})


def report(times):
    for name, values in times.items():
        kind = "decoded images" if "decoded" in name else "JPEG files"
        base = times[f"OpenCV from {kind}"]
        ratio = statistics.median(b / v for b, v in zip(base, values, strict=True))
        rate = 1 / statistics.median(values)
        cores = "  ".join(f"{-(-wanted // rate):3.0f}" for wanted in RATES)
        print(f"{name:28s}{rate:7.0f} samples/s per core   {ratio:5.2f} x OpenCV   cores: {cores}")
    print(f"cores: for {', '.join(map(str, RATES))} images/s")


if __name__ == "__main__":
    main()
