"""Person detectors for phones by trunk: `python benchmarks/phone_detectors.py [TRUNK …]`.

Prints parameters, multiply-adds, and the median time of the float32 and int8 `.tflite` files for an
image of 320 x 320 on one thread: its own time, which other programs disturb less. The networks take
turns. Weights are random. All three trunks take two minutes of CPU time, most of them for building
and converting; a line on stderr says when a trunk is converted.
"""

import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from ai_edge_litert.interpreter import Interpreter

import hrnet_tf
from hrnet_tf.cards.detection import DetectionCard
from hrnet_tf.cards.files import save_model
from hrnet_tf.convert.options import Options
from hrnet_tf.convert.to_tflite import to_tflite
from hrnet_tf.networks.complexity import complexity

TRUNKS = ("naive_lite18", "wider_naive_lite18", "lite18")
PRECISIONS = ("float32", "int8_min_max")  # the quickest to convert; int8 has the same operations
ROUNDS = 60
CARD = DetectionCard(head="fcos_lite", classes=("person",), category_ids=(1,), sides=(320, 320))


def opened(path, precision):
    """An interpreter of the network of a file, converted, with an empty image as input."""
    output = path.with_name(f"{path.stem}_{precision}.tflite")
    options = Options(precision, count=16, verify=False)
    to_tflite(path, output, options=options, report=lambda line: None)
    interpreter = Interpreter(str(output), num_threads=1)
    interpreter.allocate_tensors()
    [image] = interpreter.get_input_details()
    interpreter.set_tensor(image["index"], np.zeros(image["shape"], image["dtype"]))
    return interpreter


def main(trunks):
    interpreters, costs = {}, {}
    with tempfile.TemporaryDirectory() as folder:
        for trunk in trunks:
            model = hrnet_tf.detection(trunk, 1, "fcos_lite")
            costs[trunk] = complexity(model)
            path = Path(folder) / f"{trunk}.keras"
            save_model(model, CARD, path)
            interpreters |= {(trunk, each): opened(path, each) for each in PRECISIONS}
            print(f"{trunk} is converted: {time.process_time():.0f} s of CPU", file=sys.stderr)
    seconds = {key: [] for key in interpreters}
    for _ in range(ROUNDS):
        for key, interpreter in interpreters.items():
            start = time.thread_time()
            interpreter.invoke()
            seconds[key].append(time.thread_time() - start)
    for trunk, cost in costs.items():
        times = [1e3 * statistics.median(seconds[trunk, each]) for each in PRECISIONS]
        print(
            f"{trunk}: {cost.parameters / 1e6:.2f} M parameters, {cost.multiply_adds / 1e9:.2f} G "
            f"multiply-adds, float32 {times[0]:.1f} ms, int8 {times[1]:.1f} ms"
        )


if __name__ == "__main__":
    main(sys.argv[1:] or TRUNKS)
