"""What `hrnet-tf predict` costs around the network: `python benchmarks/predict.py [FOLDER]`.

Prints the peak memory after a quarter and after all of 4000 small pictures. Then the share of the
wall time that W32 256x192 takes on the pictures of FOLDER, or on drawn ones of 640x480, one person
each: reading, cropping, decoding, drawing and writing included, tracing of the graph excluded.
"""

import os
import resource
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from noise import noise

import hrnet_tf
from hrnet_tf.cards.pose import PoseCard
from hrnet_tf.media.find import find_images
from hrnet_tf.media.images import read_image
from hrnet_tf.prediction.pictures import PredictionFolder, predict_files
from hrnet_tf.runtime.keras_model import KerasNetwork
from hrnet_tf.runtime.network import renamed
from hrnet_tf.tasks.pose.predictor import PosePredictor
from hrnet_tf.tasks.pose.task import TASK
from hrnet_tf.tasks.streaming import Timings

PHOTOS, SMALL = 60, 4000


def draw_pictures(folder, count, size):
    """JPEGs of noise."""
    rng = np.random.default_rng(0)
    for number in range(count):
        noise(rng, size).save(folder / f"{number:05}.jpg", quality=90)
    return find_images([folder])


def run(predictor, paths, folder, advance=lambda: None):
    """Wall seconds of the files part of the command."""
    output = PredictionFolder(folder, paths, TASK, overwrite=True)
    start = time.perf_counter()
    predict_files(predictor, paths, None, output, advance)
    return time.perf_counter() - start


def network_share(paths, folder):
    network = KerasNetwork(hrnet_tf.pose("w32", (256, 192, 3)), frozen=True)
    predictor = PosePredictor(renamed(network, PoseCard().outputs()), PoseCard())
    predictor(read_image(paths[0]))
    predictor.timings = Timings()
    wall = run(predictor, paths, folder)
    for stage, row in predictor.timings.summary().items():
        print(
            f"{stage:<8} {row['total_s']:7.2f} s  {row['p50_ms']:7.1f} ms  {row['p90_ms']:7.1f} ms"
        )
    share = predictor.timings.total("network") / wall
    print(f"{len(paths)} pictures in {wall:.1f} s, {share:.1%} of it in the network")


def peak_memory(paths, folder):
    """MiB after a quarter of the pictures, and after all."""
    peaks = []

    def advance():
        peaks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)

    maps = np.random.default_rng(0).random((16, 64, 48, 17), np.float32)
    network = PosePredictor(lambda crops: maps[: len(crops)], PoseCard(), input_size=(256, 192))
    run(network, paths, folder, advance)
    return peaks[len(peaks) // 4], peaks[-1]


def main():
    with tempfile.TemporaryDirectory() as scratch:
        folders = [Path(scratch, name) for name in ("photos", "small", "out")]
        for folder in folders:
            folder.mkdir()
        photos, small, out = folders
        # First, because the peak of W32 would hide a leak.
        quarter, whole = peak_memory(draw_pictures(small, SMALL, (96, 72)), out)
        print(
            f"peak memory: {quarter:.0f} MiB after {SMALL // 4} pictures, {whole:.0f} after {SMALL}"
        )
        paths = find_images(sys.argv[1:]) or draw_pictures(photos, PHOTOS, (640, 480))
        network_share(paths, out)


if __name__ == "__main__":
    main()
