"""How fast `predict` computes HRNet-W32: `python benchmarks/network.py`.

Prints milliseconds per image at 256x192 for batches of 1 and 8: as Keras computes the model, as
`predict` does in float32 and in bfloat16, and by OpenVINO and ONNX Runtime where they are installed
(`pip install openvino onnxruntime`; neither is a dependency of prediction). All run turn by turn in
one process; the smallest of their times counts.
"""

import os
import tempfile
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np

import hrnet_tf
from hrnet_tf.runtime.keras_model import KerasNetwork, compiled

SIZE, TURNS = (256, 192, 3), {1: 12, 8: 6}
RNG = np.random.default_rng(0)


def network():
    """W32 whose normalizations have the numbers of a trained one."""
    model = hrnet_tf.pose("w32", SIZE)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.set_weights([each + RNG.uniform(0, 0.1, each.shape) for each in layer.weights])
    return model


def ours(model):
    plain = compiled(lambda x: model(x, training=False), (None, *SIZE))
    calls = {"as Keras computes it": lambda images: plain(images).numpy()}
    for precision in ("float32", "bfloat16"):
        found = KerasNetwork(model, frozen=True, precision=precision)
        calls[f"predict, {precision}"] = lambda images, found=found: found({"image": images})
    return calls


def peers(model, folder):
    """Functions by name -> batch size -> function of images."""
    from hrnet_tf.convert.formats.direct_onnx import direct
    from hrnet_tf.convert.graph.fold import fold_norms, merge_resizes
    from hrnet_tf.convert.graph.read import read_graph

    path = str(Path(folder, "w32.onnx"))
    try:
        import onnx

        onnx.save(direct(merge_resizes(fold_norms(read_graph(model)))), path)
    except ImportError:
        print("without peers: pip install onnx openvino onnxruntime")
        return {}
    found = {}
    for add in (openvino, onnx_runtime):
        try:
            found |= add(path)
        except ImportError as error:
            print(f"without {add.__name__}: {error}")
    return found


def openvino(path):
    import openvino

    core = openvino.Core()

    def of(precision, batch):
        model = core.read_model(path)
        model.reshape([batch, *SIZE])
        settings = {"INFERENCE_PRECISION_HINT": precision, "PERFORMANCE_HINT": "LATENCY"}
        request = core.compile_model(model, "CPU", settings).create_infer_request()
        return lambda images: request.infer([images])

    return {
        f"OpenVINO, {name}": lambda batch, short=short: of(short, batch)
        for name, short in (("float32", "f32"), ("bfloat16", "bf16"))
    }


def onnx_runtime(path):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = os.cpu_count()
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return {
        "ONNX Runtime, float32": lambda batch: lambda images: session.run(None, {"image": images})
    }


def race(calls, batch):
    images = RNG.random((batch, *SIZE), np.float32)
    times = {name: [] for name in calls}
    for turn in range(TURNS[batch] + 2):
        for name, call in calls.items():
            time.sleep(0.02)  # until the threads of the one before have gone to sleep
            start = time.perf_counter(), time.process_time()
            call(images)
            spent = time.perf_counter() - start[0], time.process_time() - start[1]
            if turn > 1:
                times[name].append(np.array(spent) * 1e3 / batch)
    best = {name: np.min(each, axis=0) for name, each in times.items()}
    rivals = [name for name in best if name.startswith("OpenVINO")]
    print(f"\nbatch {batch:<18} wall ms   CPU ms  " + "  ".join(f"/ {name}" for name in rivals))
    for name, (wall, cpu) in best.items():
        ratios = "  ".join(f"{wall / best[each][0]:>{len(each) + 2}.2f}" for each in rivals)
        print(f"{name:<24} {wall:7.1f} {cpu:8.1f}  {ratios}", flush=True)


def main():
    model = network()
    calls = ours(model)
    with tempfile.TemporaryDirectory() as folder:
        others = peers(model, folder)
        for batch in TURNS:
            race(calls | {name: make(batch) for name, make in others.items()}, batch)


if __name__ == "__main__":
    main()
