"""How fast the input of a classifier is on one core: `python benchmarks/classify.py`.

JPEG files of 500x375 pixels, the usual size in ImageNet: random resized crop to 224x224, mirror,
normalization. Beside it the same steps by Pillow and NumPy, as torchvision takes them, one picture
at a time. Both run in this process on one core, turn by turn; times are those of the processor.
"""

import os
import statistics
import tempfile
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})  # before TensorFlow counts cores

# ruff: noqa: E402
import numpy as np
from PIL import Image
from processor import seconds

from hrnet_tf.training.classification.batches import batches
from hrnet_tf.training.classification.readers import read
from hrnet_tf.training.classification.recipe import ClassificationRecipe
from hrnet_tf.training.classification.records import read_pictures, write_records

BATCH, STEPS, ROUNDS, PICTURES = 32, 8, 5, 128
MEAN, STD = np.float32((0.485, 0.456, 0.406)), np.float32((0.229, 0.224, 0.225))


def write_photos(folder):
    """Pictures with smooth areas and edges, which compress about as photos do (60 KB)."""
    rng = np.random.default_rng(0)
    for number in range(PICTURES):
        place = Path(folder, f"class{number % 2}")
        place.mkdir(parents=True, exist_ok=True)
        coarse = Image.fromarray(rng.integers(0, 256, (24, 32, 3)).astype(np.uint8))
        pixels = np.asarray(coarse.resize((500, 375), Image.Resampling.BICUBIC)).astype(int)
        pixels = (pixels + rng.normal(0, 6, (375, 500, 1))).clip(0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(place / f"{number}.jpg", quality=92)
    return folder


def by_pillow(rng, path):
    """RandomResizedCrop, RandomHorizontalFlip, ToTensor and Normalize of torchvision."""
    with Image.open(path) as picture:
        image = picture.convert("RGB")
    width, height = image.size
    for _ in range(10):
        area = width * height * rng.uniform(0.08, 1)
        ratio = np.exp(rng.uniform(np.log(3 / 4), np.log(4 / 3)))
        w, h = round(np.sqrt(area * ratio)), round(np.sqrt(area / ratio))
        if 0 < w <= width and 0 < h <= height:
            break
    else:
        w, h = width, height
    left, top = rng.integers(0, width - w + 1), rng.integers(0, height - h + 1)
    image = image.crop((left, top, left + w, top + h))
    image = image.resize((224, 224), Image.Resampling.BILINEAR)
    if rng.random() < 0.5:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    return (np.asarray(image, np.float32) / 255 - MEAN) / STD


def main():
    with tempfile.TemporaryDirectory() as scratch:
        folder = write_photos(Path(scratch, "photos"))
        values = {"arch": "w18", "train_images": str(folder), "batch_size": BATCH}
        recipe = ClassificationRecipe(**values, classes=("class0", "class1"))
        files = read(folder, "", recipe.classes)
        write_records(recipe, str(Path(scratch, "records")), 2)
        records = read_pictures(str(Path(scratch, "records", "*.tfrecord")), recipe.classes)
        rng, paths = np.random.default_rng(0), files.rows["path"]

        def original():
            return np.stack([by_pillow(rng, path) for path in rng.choice(paths, BATCH)])

        runs = {"Pillow and NumPy": original}
        for name, source in (("JPEG files", files), ("TFRecords", records)):
            runs[name] = iter(batches(source, recipe, augment=True)).__next__
        times = {name: [] for name in runs}
        for name in [*runs] * (ROUNDS + 1):
            times[name].append(seconds(runs[name], STEPS) / BATCH)
    for name, found in times.items():
        found, base = found[1:], times["Pillow and NumPy"][1:]
        ratio = statistics.median(b / v for b, v in zip(base, found, strict=True))
        rate = 1 / statistics.median(found)
        print(f"{name:18s}{rate:6.0f} samples/s per core   {ratio:5.2f} x Pillow")


if __name__ == "__main__":
    main()
