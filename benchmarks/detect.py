"""What pooling and NMS cost: `python benchmarks/detect.py [FOLDER_WITH_TORCHVISION]`.

Prints the milliseconds of 1000 regions of 7 x 7 bins and 100 of 14 x 14 from the maps of an image
of 800 x 1216: of the runtime's groups, of the network's RoIAlign, of a plain NumPy loop over
regions, and of torchvision's where it is installed. Regions are as long as proposals are: from 12
to 700 pixels, evenly in the logarithm. The median of several rounds is taken.

Then the milliseconds of the processor for NMS of 10,000 boxes, of ours in NumPy, of TensorFlow's
kernel and of torchvision's: around 100 objects, as a detector finds them; the same in 80 classes,
of which the best 100 are wanted; and boxes anywhere, most of which overlap none.
"""

import os
import statistics
import sys
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

sys.path.extend(sys.argv[1:])
try:  # before TensorFlow: both bring LLVM
    import torch
    import torchvision  # noqa: F401
except ImportError:
    pass
import keras
import numpy as np
from keras import ops

from hrnet_tf.networks.heads.roi import levels_of, roi_align
from hrnet_tf.tasks.detection.nms import class_nms, nms
from hrnet_tf.tasks.detection.pooling import pool

HEIGHT, WIDTH, CHANNELS = 800, 1216, 256
STRIDES = (4, 8, 16, 32)
ROUNDS = 5


def proposals(count):
    """(count, 4) x1, y1, x2, y2 within the image."""
    rng = np.random.default_rng(0)
    side = np.exp(rng.uniform(np.log(12), np.log(700), count))
    aspect = np.exp(rng.normal(0, 0.5, count))
    width = np.minimum(side * aspect**0.5, WIDTH - 1)
    height = np.minimum(side / aspect**0.5, HEIGHT - 1)
    x, y = rng.uniform(0, WIDTH - width), rng.uniform(0, HEIGHT - height)
    return np.stack([x, y, x + width, y + height], axis=1).astype("float32")


def loop(maps, boxes, size):
    """One region at a time, by two products with the weights of rows and columns."""
    level = ops.convert_to_numpy(levels_of(boxes, len(maps)))
    found = np.empty((len(boxes), size, size, CHANNELS), "float32")
    for n, (box, index) in enumerate(zip(boxes, level, strict=True)):
        x = maps[index]
        start, side = box[:2] / STRIDES[index] - 0.5, (box[2:] - box[:2]) / STRIDES[index]
        columns, rows = (_weights(start[i], side[i], x.shape[1 - i], size) for i in (0, 1))
        (y,), (z,) = np.nonzero(rows.any(axis=0)), np.nonzero(columns.any(axis=0))
        window = x[y[0] : y[-1] + 1, z[0] : z[-1] + 1]
        lines = np.tensordot(rows[:, y[0] : y[-1] + 1], window, 1)
        found[n] = np.einsum("jq,iqc->ijc", columns[:, z[0] : z[-1] + 1], lines)
    return found


def _weights(start, side, cells, size):
    count = int(np.ceil(side / size))
    place = start + (np.arange(size * count) + 0.5) * side / (size * count)
    weight = np.maximum(0, 1 - abs(np.clip(place, 0, cells - 1)[:, None] - np.arange(cells)))
    return weight.reshape(size, count, cells).mean(axis=1).astype("float32")


def torchvisions(maps):
    """The same with torchvision, channels first, a call for each map; None without it."""
    if "torchvision" not in sys.modules:
        return None
    from torchvision.ops import roi_align as theirs

    torch.set_num_threads(os.cpu_count())
    maps = [torch.from_numpy(x.transpose(2, 0, 1).copy())[None] for x in maps]

    def call(_, boxes, size):
        level = ops.convert_to_numpy(levels_of(boxes, len(maps)))
        found = torch.empty((len(boxes), CHANNELS, size, size))
        for index, x in enumerate(maps):
            own = np.flatnonzero(level == index)
            rois = torch.from_numpy(np.insert(boxes[own], 0, 0, axis=1))
            found[own] = theirs(x, rois, size, 1 / STRIDES[index], -1, True)
        return found.permute(0, 2, 3, 1).numpy()

    return call


def nms_boxes(around):
    """10,000 boxes of proposals' sizes, around so many objects, and scores."""
    rng, some = np.random.default_rng(0), proposals(around)
    boxes = some[rng.integers(0, around, 10_000)] if around < 10_000 else some
    side = np.tile(boxes[:, 2:] - boxes[:, :2], 2)
    boxes = boxes + 0.08 * side * rng.standard_normal(boxes.shape) * (around < 10_000)
    return boxes.astype("float32"), rng.random(10_000).astype("float32")


def time_nms():
    """Prints times and how many boxes stay."""
    classes = np.random.default_rng(1).integers(0, 80, 10_000)
    ways = {"NumPy": lambda boxes, scores, t: nms(boxes, scores, t)}
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        call = tf.function(lambda b, s, t: tf.image.non_max_suppression(b, s, 10_000, t))
        ways["TensorFlow"] = lambda boxes, scores, t: call(boxes, scores, t).numpy()
    if "torchvision" in sys.modules:
        from torchvision.ops import nms as theirs

        ways["torchvision"] = lambda b, s, t: theirs(torch.from_numpy(b), torch.from_numpy(s), t)
    for what, around, threshold in (
        ("100 objects", 100, 0.5),
        ("100 objects", 100, 0.7),
        ("boxes anywhere", 10_000, 0.7),
    ):
        boxes, scores = nms_boxes(around)
        print(f"NMS of 10,000 boxes, {what}, IoU {threshold}")
        for name, way in ways.items():
            kept, spent = measured(lambda way=way: way(boxes, scores, threshold))  # noqa: B023
            print(f"  {name:12} {spent:8.1f} ms, {kept} stay")
    boxes, scores = nms_boxes(100)
    for most in (100, None):
        kept, spent = measured(lambda most=most: class_nms(boxes, scores, classes, 0.5, most=most))
        print(f"  in 80 classes, at most {most}: {spent:.1f} ms, {kept} stay")


def measured(function):
    """The length of the result, and the lowest milliseconds of the processor of several calls."""
    spent, found = [], function()
    for _ in range(2 * ROUNDS):
        start = time.process_time()
        found = function()
        spent.append(1e3 * (time.process_time() - start))
    return len(found), min(spent)


def main():
    rng = np.random.default_rng(0)
    maps = [
        rng.standard_normal((HEIGHT // s, WIDTH // s, CHANNELS)).astype("float32") for s in STRIDES
    ]
    tensors = [ops.convert_to_tensor(x[None]) for x in maps]

    def network(_, boxes, size):
        parts = np.array_split(boxes[None], max(1, len(boxes) // 100), axis=1)
        samples = 28 // size
        return np.concatenate([roi_align(tensors, x, size, STRIDES, samples) for x in parts])

    ways = {
        "groups": lambda maps, boxes, size: pool(maps, boxes, size, STRIDES),
        "network": network,
        "NumPy loop": loop,
        "torchvision": torchvisions(maps),
    }
    ways = {name: way for name, way in ways.items() if way}
    print(f"Keras on {keras.backend.backend()}, {os.cpu_count()} cores")
    for count, size in ((1000, 7), (100, 14)):
        boxes, times = proposals(count), {name: [] for name in ways}
        wanted = pool(maps, boxes, size, STRIDES)  # also compiles
        for _ in range(ROUNDS):
            for name, way in ways.items():
                start = time.perf_counter()
                found = way(maps, boxes, size)
                times[name].append(1e3 * (time.perf_counter() - start))
                assert name == "network" or abs(found - wanted).max() < 1e-3, name
        print(f"{count} regions of {size} x {size}")
        for name, each in times.items():
            print(f"  {name:12} {statistics.median(each):8.0f} ms")
    time_nms()


if __name__ == "__main__":
    main()
