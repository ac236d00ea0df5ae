"""How many frames per second `predict` makes of a video: `python benchmarks/video.py [MODEL…]`.

The video has 640x480 pixels and 25 frames per second; it pans over a drawn picture, or over the
first picture of HRNET_TF_DATA's `coco_kp_subset/val2017`. MODEL is a preset, a `.keras` or a
converted file; without one it is W32 with random weights. Each frame is one person's box. Prints
the seconds of each stage, and the frames per second as a share of those of the slowest stage alone:
reading, predicting, and drawing with writing run beside each other.
"""

import os
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from noise import noise
from PIL import Image

import hrnet_tf
from hrnet_tf.cards.pose import PoseCard
from hrnet_tf.media.video import VideoWriter, read_frames
from hrnet_tf.tasks.pose.follow import predict_video
from hrnet_tf.tasks.pose.track import Tracking

FRAMES, WIDTH, HEIGHT = 300, 640, 480
THREADS = {"read": ("read",), "predict": ("detect", "crop", "network", "decode", "track")}
THREADS["write"] = ("draw", "write")


def picture():
    """A picture that is larger than a frame."""
    size = WIDTH + FRAMES, HEIGHT + FRAMES
    if data := os.environ.get("HRNET_TF_DATA"):
        path = min(Path(data, "coco_kp_subset", "val2017").glob("*.jpg"))
        return np.asarray(Image.open(path).convert("RGB").resize(size, Image.BICUBIC))
    return np.asarray(noise(np.random.default_rng(0), size))


def make_video(path):
    pixels, writer = picture(), VideoWriter(path, 25)
    for k in range(FRAMES):
        frame = np.ascontiguousarray(pixels[k : k + HEIGHT, k : k + WIDTH])
        writer.write(frame, k / 25)
    writer.close()


def measure(name, predictor, video, folder):
    first = next(iter(read_frames(video))).image
    for count in (1, 2):  # compiles
        predictor(first, np.tile([[0, 0, WIDTH, HEIGHT]], (count, 1)))
    predictor.timings.reset()
    # Nobody is in a drawn picture, so the whole frame is a person's box in each frame.
    whole = np.array([[0, 0, WIDTH, HEIGHT]]), np.ones(1)
    given = {"detector": lambda images: [whole], "settings": Tracking(detect_every=1)}
    found = predict_video(predictor, video, folder, overwrite=True, **given)
    stages = {stage: row["total_s"] for stage, row in found["stages"].items()}
    threads = {
        thread: sum(stages.get(stage, 0) for stage in each) for thread, each in THREADS.items()
    }
    slowest = max(threads, key=threads.get)
    share = threads[slowest] / found["seconds"]
    print(f"{name}: {found['frames_per_second']:.1f} frames per second")
    print("  ".join(f"{stage} {1e3 * each / FRAMES:.1f} ms" for stage, each in stages.items()))
    print(f"{share:.0%} of the frames per second of the slowest thread, {slowest}\n", flush=True)


def main():
    with tempfile.TemporaryDirectory() as scratch:
        video = Path(scratch, "pan.mp4")
        make_video(video)
        for name in sys.argv[1:] or ["W32"]:
            given = {"card": PoseCard()} if name == "W32" else {}
            model = hrnet_tf.pose("w32", (256, 192, 3)) if name == "W32" else name
            predictor = hrnet_tf.predictor(model, **given)
            measure(Path(name).name, predictor, video, Path(scratch, "out"))


if __name__ == "__main__":
    main()
