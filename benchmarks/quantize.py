"""What each step of the int8 recipe brings: AP of the emitted files by the annotated protocol.

    python benchmarks/quantize.py --data=FOLDER [--model=tinypose_256x192] [--only=float32,int8]

FOLDER is that of HRNET_TF_DATA (CONTRIBUTING.md). Ranges are measured on people of train2017, AP on
val2017, without flip test. With 120 people, one person changes AP by about .008.
"""

import tempfile
import time
from pathlib import Path

import numpy as np
from absl import app, flags

from hrnet_tf.convert.calibration import calibration
from hrnet_tf.convert.examples import part
from hrnet_tf.convert.formats.emit import tflite
from hrnet_tf.convert.integers.precisions import PRECISIONS, Precision
from hrnet_tf.convert.source import open_source
from hrnet_tf.runtime.converted import open_converted
from hrnet_tf.tasks.pose.predictor import PosePredictor
from hrnet_tf.training.evaluate import evaluate

RECIPES = PRECISIONS | {
    "corrected": Precision("errors of kernels cancel", correct=True),
    "equalized": Precision("channels equalized", equalize=True),
}

DATA = flags.DEFINE_string("data", None, "folder with coco_kp_subset and tinypose", required=True)
MODEL = flags.DEFINE_string("model", "tinypose_256x192", "preset")
ONLY = flags.DEFINE_list("only", [*RECIPES], "recipes to measure")
COUNT = flags.DEFINE_integer("count", 200, "crops to measure ranges on")
FLIP = flags.DEFINE_bool("flip", False, "flip test")


def main(_):
    """Prints a line per recipe."""
    data = Path(DATA.value)
    coco = data / "coco_kp_subset"
    source = open_source(MODEL.value, data / "tinypose" / f"derived_{MODEL.value}.npz")
    people = coco / "annotations" / "person_keypoints_train2017.json"
    found = calibration(people, None, source.card, source.inputs, COUNT.value)
    print(found.words)
    some = part(found.examples, 0, 40)
    (wanted,) = source(some).values()
    truth = coco / "annotations" / "person_keypoints_val2017.json", coco / "val2017"
    for name in ONLY.value:
        start = time.perf_counter()
        content = tflite(source.graph, RECIPES[name], found.examples)
        seconds = time.perf_counter() - start
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "network.tflite"
            path.write_bytes(content)
            (maps,) = open_converted(path)(some).values()
            noise = ((maps - wanted) ** 2).mean()
            predictor = PosePredictor(path, source.card, flip=FLIP.value)
            numbers = evaluate(predictor, *truth, protocol="annotated").numbers
        signal = 10 * np.log10((wanted**2).mean() / noise)
        print(
            f"{name:30s} AP {numbers['AP']:.4f}  maps {signal:5.1f} dB  "
            f"{len(content) / 1e6:5.2f} MB  converted in {seconds:3.0f} s",
            flush=True,
        )


if __name__ == "__main__":
    app.run(main)
