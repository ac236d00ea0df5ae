"""Whole predictions of detectors: `python benchmarks/detectors.py [FOLDER_WITH_TORCH_AND_TIMM]`.

Times FCOS and Faster R-CNN with the trunk W18 on an image of 800 x 1216, random weights, all cores:
ours by `DetectionPredictor`, and the share of it that the network takes. With PyTorch, timm and
torchvision in the folder, it also times the same networks as PyTorch modules in eager mode,
channels last: timm's W18 trunk without its classification head, the neck, the heads, and for Faster
R-CNN torchvision's RoIAlign of 1000 regions; without selection of boxes, resizing and NMS. Prints
the median of several predictions and the ratio.

`memory` as the last argument predicts 200 images of several sizes by FCOS instead, and prints the
peak memory of the process after every 40.
"""

import os
import resource
import statistics
import sys
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

sys.path.extend(sys.argv[1:])
try:  # before TensorFlow: both bring LLVM
    import timm
    import torch
    import torchvision
    from torch import nn
except ImportError:
    torch = None
import numpy as np

import hrnet_tf
from hrnet_tf.cards.detection import DetectionCard
from hrnet_tf.tasks.detection.predictor import DetectionPredictor

SIZE = (800, 1216)
REGIONS = 1000
ROUNDS = 5


def timed(function):
    """Median seconds of a call, after one that warms up."""
    function()
    seconds = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        function()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


def ours(head):
    """Seconds of a prediction, and the network's share."""
    card = DetectionCard(head=head)
    predictor = DetectionPredictor(hrnet_tf.detection("w18", head=head), card)
    image = np.random.default_rng(0).integers(0, 256, (*SIZE, 3)).astype(np.uint8)
    seconds = timed(lambda: predictor(image))
    before = predictor.timings.total("network")
    start = time.perf_counter()
    predictor(image)
    share = (predictor.timings.total("network") - before) / (time.perf_counter() - start)
    return seconds, share


def theirs(head):
    """Seconds of the PyTorch modules."""
    torch.set_num_threads(os.cpu_count())
    trunk = timm.create_model("hrnet_w18", features_only=True, feature_location="")
    channels = [18, 36, 72, 144]
    reduce = nn.Conv2d(sum(channels), 256, 1)
    stride = 2 if head == "fcos" else 1
    levels = nn.ModuleList(nn.Conv2d(256, 256, 3, stride, 1) for _ in range(5))

    def pyramid(image):
        maps = trunk(image)[-4:]
        size = maps[0].shape[2:]
        maps = [maps[0], *(nn.functional.interpolate(x, size, mode="bilinear") for x in maps[1:])]
        x = reduce(torch.cat(maps, 1))
        pooled = [x, *(nn.functional.avg_pool2d(x, 2**i) for i in range(1, 5))]
        return [level(each) for level, each in zip(levels, pooled, strict=True)]

    heads, run = (fcos if head == "fcos" else faster_rcnn)(pyramid)
    image = torch.randn(1, 3, *SIZE)
    for module in (trunk, reduce, levels, *heads):
        module.eval().to(memory_format=torch.channels_last)
    image = image.to(memory_format=torch.channels_last)
    with torch.no_grad():
        return timed(lambda: run(image))


def fcos(pyramid):
    """The towers and last layers of FCOS."""

    def tower():
        layers = []
        for _ in range(4):
            layers += [nn.Conv2d(256, 256, 3, padding=1, bias=False), nn.GroupNorm(32, 256)]
            layers.append(nn.ReLU())
        return nn.Sequential(*layers)

    classes, boxes = tower(), tower()
    last = nn.ModuleList(nn.Conv2d(256, count, 3, padding=1) for count in (80, 4, 1))

    def run(image):
        found = []
        for x in pyramid(image):
            a, b = classes(x), boxes(x)
            found.append((last[0](a), last[1](b).exp(), last[2](a)))
        return found

    return (classes, boxes, last), run


def faster_rcnn(pyramid):
    """The RPN, and the box head on random regions."""
    rpn = nn.ModuleList([nn.Conv2d(256, 256, 3, padding=1)])
    rpn.extend(nn.Conv2d(256, count, 1) for count in (3, 12))
    fully = nn.Sequential(
        nn.Linear(256 * 49, 1024), nn.ReLU(), nn.Linear(1024, 1024), nn.ReLU(), nn.Linear(1024, 401)
    )
    rng = np.random.default_rng(0)
    side = np.exp(rng.uniform(np.log(12), np.log(700), (REGIONS, 1)))
    corner = rng.uniform(0, np.maximum(1, np.array([SIZE[::-1]]) - side))
    boxes = torch.from_numpy(np.concatenate([corner, corner + side], 1).astype("float32"))
    level = np.clip(np.floor(np.log2(side[:, 0] / 56)), 0, 3)

    def run(image):
        maps = pyramid(image)
        hidden = [rpn[0](x).relu() for x in maps]
        found = [(rpn[1](x), rpn[2](x)) for x in hidden]
        pooled = [
            torchvision.ops.roi_align(
                maps[i], [boxes[level == i]], 7, 1 / 2 ** (i + 2), sampling_ratio=-1, aligned=True
            )
            for i in range(4)
        ]
        return found, fully(torch.cat(pooled).flatten(1))

    return (rpn, fully), run


def memory():
    """Prints the peak memory of the process while it predicts images of several sizes."""
    card = DetectionCard(head="fcos", sides=(640, 416))
    predictor = DetectionPredictor(hrnet_tf.detection("w18"), card)
    rng = np.random.default_rng(0)
    sizes = [(480, 640), (640, 480), (427, 640), (500, 375)]
    for number in range(1, 201):
        predictor(rng.integers(0, 256, (*sizes[number % 4], 3)).astype(np.uint8))
        if number % 40 == 0:
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
            print(f"{number} images: {peak:.2f} GiB")


if __name__ == "__main__":
    if sys.argv[-1] == "memory":
        memory()
        sys.exit()
    for head in ("fcos", "faster_rcnn"):
        seconds, share = ours(head)
        line = f"{head}: {seconds:.2f} s, {share:.0%} of it in the network"
        if torch is not None:
            other = theirs(head)
            line += f"; PyTorch {other:.2f} s, ratio {seconds / other:.2f}"
        print(line)
