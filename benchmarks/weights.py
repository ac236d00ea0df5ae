"""What opening a published file costs: `python benchmarks/weights.py`.

Writes random weights of W32 in PyTorch's format, 115 MB, and as `.npz` and `.keras`. Prints
the time to read the first, and to read it into a network, as ratios to reading the second with
NumPy; then to open the third as prediction does, and to build a network and read the first each
time as `from_preset` does, as ratios to `keras.models.load_model` of the third.
"""

import gc
import os
import pickle
import statistics
import tempfile
import time
import zipfile
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np

import hrnet_tf
from hrnet_tf.opening import open_network
from hrnet_tf.weights.files import read_checkpoint
from hrnet_tf.weights.load import weights_of

ROUNDS = 5


def write_torch(path, weights):
    """A dictionary of float32 arrays in the layout of `torch.save`."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", b"\x80\x02}(" + b"".join(_entries(weights)) + b"u.")
        for key, array in enumerate(weights.values()):
            archive.writestr(f"archive/data/{key}", np.ascontiguousarray(array, "<f4").tobytes())


def _entries(weights):
    for key, (name, array) in enumerate(weights.items()):
        strides = tuple(int(np.prod(array.shape[axis + 1 :])) for axis in range(array.ndim))
        yield _push(name) + b"ctorch._utils\n_rebuild_tensor_v2\n((" + _push("storage")
        yield b"ctorch\nFloatStorage\n" + _push(str(key)) + _push("cpu") + _push(array.size)
        yield b"tQ" + b"".join(map(_push, (0, array.shape, strides, False, {}))) + b"tR"


def _push(value):
    """The opcodes of a pickled value."""
    return pickle.dumps(value, 2)[2:-1]


def read_numpy(path):
    with np.load(path) as file:
        return {name: file[name] for name in file.files}


def ratio(first, second):
    """Median of the first's time by the second's, measured in turns."""
    return statistics.median(seconds(first) / seconds(second) for _ in range(ROUNDS))


def seconds(function):
    gc.collect()  # networks of before
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def main():
    with tempfile.TemporaryDirectory() as scratch:
        torch, numpy, converted = (Path(scratch, f"w32{s}") for s in (".pth", ".npz", ".keras"))
        model = hrnet_tf.pose("w32")
        weights = weights_of(model)
        write_torch(torch, weights)
        np.savez(numpy, **weights)
        model.save(converted)
        print(f"{torch.stat().st_size / 1e6:.0f} MB; against reading .npz with NumPy:")

        def plain():
            read_numpy(numpy)

        print(f"  reading .pth: {ratio(lambda: read_checkpoint(torch), plain):.2f}")
        into = ratio(lambda: hrnet_tf.load_checkpoint(model, torch), plain)
        print(f"  reading .pth into a network: {into:.2f}")

        def published():
            hrnet_tf.from_preset("hrnet_w32_coco_256x192", torch)

        def by_keras():
            keras.models.load_model(converted, compile=False)

        print("against `keras.models.load_model` of a .keras file:")
        opened = ratio(lambda: open_network(converted), by_keras)
        print(f"  opening it as prediction does: {opened:.2f}")
        print(f"  building W32 and reading .pth: {ratio(published, by_keras):.2f}")


if __name__ == "__main__":
    main()
