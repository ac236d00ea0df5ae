"""How fast converted files run: `python benchmarks/convert.py [lite|widths|w32|…]…`.

Ratios within one run: the files take turns, the median of the turns counts, and CPU time besides
wall time, for machines that others use too. Weights are random; the speed is that of trained ones.

    lite        wider_naive_lite18 256x192 on one thread and on two, against the straightforward
                float32 file
    widths      the same network with other widths on one thread, and their multiply-adds
    w32         W32 256x192 on two threads against ONNX Runtime and OpenVINO
    writing     seconds to write W32 as float .tflite and .onnx files, and by their converters
    conversion  seconds and memory of the int8 conversion of W32 with 100 crops

`pip install openvino` and `nncf` for its rows; both are only compared with.
"""

import os
import resource
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

import hrnet_tf
from hrnet_tf.convert.formats.emit import converted, tflite
from hrnet_tf.convert.formats.onnx_file import onnx_model, traced
from hrnet_tf.convert.graph.faster import faster, repeat_pixels
from hrnet_tf.convert.graph.fold import fold_norms, merge_resizes
from hrnet_tf.convert.graph.read import read_graph
from hrnet_tf.networks.complexity import complexity
from hrnet_tf.networks.specs import SPECS
from hrnet_tf.quiet import quiet

SIZE = (256, 192, 3)
TURNS, CALLS = 40, 4
RNG = np.random.default_rng(0)


def network(arch):
    """With weights that keep the size of what passes: vanishing numbers are slow on CPUs."""
    model = hrnet_tf.pose(arch, SIZE)
    for weight in model.weights:
        if len(weight.shape) == 4:
            fan_in = np.prod(weight.shape[:2]) * (
                1 if "depthwise" in weight.path else weight.shape[2]
            )
            weight.assign(RNG.normal(0, np.sqrt(2 / fan_in), weight.shape))
    return model


def straightforward(model):
    """The graph as the converter of TensorFlow would get it."""
    return merge_resizes(fold_norms(read_graph(model)))


def files(model, count=4):
    """Our float32 and int8 files."""
    crops = {"image": RNG.normal(size=(count, *SIZE)).astype("float32")}
    floats, integers = (
        repeat_pixels(faster(straightforward(model), kind)) for kind in (False, True)
    )
    return tflite(floats, "float32"), tflite(integers, "int8_min_max", crops)


def litert(content, threads):
    from ai_edge_litert.interpreter import Interpreter

    with quiet():
        interpreter = Interpreter(model_content=content, num_threads=threads)
        interpreter.allocate_tensors()
    image = RNG.normal(size=(1, *SIZE)).astype("float32")
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], image)
    return interpreter.invoke


def onnx_runtime(path, threads):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    image = {session.get_inputs()[0].name: RNG.normal(size=(1, *SIZE)).astype("float32")}
    return lambda: session.run(None, image)


def openvino(model, threads):
    import openvino

    settings = {"INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY"}
    settings["INFERENCE_PRECISION_HINT"] = "f32"
    request = openvino.Core().compile_model(model, "CPU", settings).create_infer_request()
    image = RNG.normal(size=(1, *SIZE)).astype("float32")
    return lambda: request.infer([image])


def race(calls):
    """Prints milliseconds of each function, and how they compare with the first."""
    wall, cpu = ({name: [] for name in calls} for _ in range(2))
    for turn in range(TURNS + 1):
        for name, call in calls.items():
            start = time.perf_counter(), time.process_time()
            for _ in range(CALLS):
                call()
            if turn:  # the first one warms up
                wall[name].append((time.perf_counter() - start[0]) / CALLS * 1e3)
                cpu[name].append((time.process_time() - start[1]) / CALLS * 1e3)
    first = next(iter(calls))
    print(f"{'':<26} {'wall ms':>16} {'ratio':>7} {'CPU ms':>16} {'ratio':>7}")
    for name in calls:
        row = []
        for times in (wall, cpu):
            row += [f"{min(times[name]):7.2f} {np.median(times[name]):8.2f}"]
            row += [f"{np.median(times[name]) / np.median(times[first]):7.2f}"]
        print(f"{name:<26} {' '.join(row)}", flush=True)
    print("(smallest and median; ratios of medians)\n")


def lite():
    model = network("wider_naive_lite18")
    ours = files(model)
    calls = {"straightforward float32": tflite(straightforward(model), "float32")}
    calls |= {"float32": ours[0], "int8": ours[1]}
    for threads in (1, 2):
        print(f"wider_naive_lite18 256x192, threads: {threads}")
        race({name: litert(content, threads) for name, content in calls.items()})


def widths():
    calls, work = {}, {}
    for width in (32, 40, 48, 64):
        model = network(replace(SPECS["wider_naive_lite18"], width=width))
        work[width] = complexity(model).multiply_adds
        for kind, content in zip(("float32", "int8"), files(model), strict=True):
            calls[f"width {width}, {kind}"] = litert(content, 1)
    print("wider_naive_lite18 has width 40; multiply-adds of widths against those of 32:")
    print("  ".join(f"{width}: {each / work[32]:.2f}" for width, each in work.items()))
    race(calls)


def w32():
    model = network("w32")
    ours = files(model)
    calls = {"float32": litert(ours[0], 2), "int8": litert(ours[1], 2)}
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder, "w32.onnx"))
        with quiet():
            proto = onnx_model(faster(straightforward(model)), batch=1)
        Path(path).write_bytes(proto.SerializeToString())
        calls["ONNX Runtime float32"] = onnx_runtime(path, 2)
        try:
            import openvino as library

            calls["OpenVINO float32"] = openvino(library.Core().read_model(path), 2)
            import nncf

            crops = nncf.Dataset(list(RNG.normal(size=(4, 1, *SIZE)).astype("float32")))
            quantized = nncf.quantize(library.Core().read_model(path), crops)
            calls["OpenVINO int8"] = openvino(quantized, 2)
        except ModuleNotFoundError as error:
            print(f"{error.name} is not installed: its rows are left out")
        print("W32 256x192, two threads")
        race(calls)


def writing():
    graph = faster(straightforward(network("w32")))
    kinds = {
        "ONNX": lambda: onnx_model(graph),
        "ONNX by tf2onnx": lambda: traced(graph),
        "float32": lambda: tflite(repeat_pixels(graph), "float32"),
        "float16": lambda: tflite(graph, "float16"),
        "float32 by TensorFlow's converter": lambda: converted(graph),
    }
    print("W32 256x192 written from its nodes: seconds, seconds of CPU")
    for name, write in kinds.items():
        start = time.perf_counter(), time.process_time()
        with quiet():
            write()
        seconds, work = time.perf_counter() - start[0], time.process_time() - start[1]
        print(f"{name:<34} {seconds:6.1f} {work:6.1f}", flush=True)


def conversion():
    model = network("w32")
    start = time.perf_counter(), time.process_time()
    crops = {"image": RNG.normal(size=(100, *SIZE)).astype("float32")}
    graph = repeat_pixels(faster(straightforward(model), integers=True))
    content = tflite(graph, "int8", crops)
    seconds, work = time.perf_counter() - start[0], time.process_time() - start[1]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    costs = f"{seconds:.0f} s ({work:.0f} of CPU), {peak:.1f} GiB, {len(content) / 1e6:.1f} MB"
    print(f"W32 to int8 with 100 crops: {costs}")


def main():
    questions = {each.__name__: each for each in (lite, widths, w32, writing, conversion)}
    for name in sys.argv[1:] or questions:
        questions[name]()


if __name__ == "__main__":
    main()
