"""Runs `.tflite` and `.onnx` files as functions from named arrays to named arrays.

Their runtimes must be installed: `pip install ai-edge-litert`, `pip install onnxruntime`.
"""

import os
from pathlib import Path

import numpy as np

from hrnet_tf.files import existing
from hrnet_tf.runtime.network import Arrays, Shapes

RUNTIMES = {".tflite": "ai-edge-litert", ".onnx": "onnxruntime"}


def open_converted(path: str | os.PathLike, threads: int | None = None):
    """A converted file as a `Network`: a function from named float arrays to named float arrays.

    Args:
        path: a `.tflite` or `.onnx` file.
        threads: how many the network may use; all cores if None.

    Returns:
        A `TFLiteNetwork` or `ONNXNetwork`.

    Raises:
        FileNotFoundError: there is no such file.
        ModuleNotFoundError: the runtime is not installed.
        ValueError: the file is damaged, or its inputs have no common batch axis.
    """
    path = existing(path)
    kind = TFLiteNetwork if path.suffix == ".tflite" else ONNXNetwork
    try:
        return kind(path, threads or os.cpu_count())
    except ModuleNotFoundError as error:
        library = RUNTIMES[path.suffix]
        raise ModuleNotFoundError(
            f"{path}: its runtime is missing. Install it with `pip install {library}`."
        ) from error


class _Converted:
    """Base class: names of inputs, and batches of the size that the file has.

    Attributes:
        inputs: shape of each input by its name in the file; a single one is called "image".
        outputs: shape of each output by its name in the file, channels last.
    """

    inputs: Shapes
    outputs: Shapes
    _batch: int | None  # examples per call; None for any number

    def __call__(self, arrays: Arrays) -> dict[str, np.ndarray]:
        """All outputs (B, ...) float32 for all inputs (B, ...), for any number B of examples.

        Raises:
            ValueError: an input is missing or unknown, or the inputs differ in B.
        """
        if set(arrays) != set(self.inputs):
            raise ValueError(
                f"`arrays` must have {', '.join(self.inputs)}. Received: {', '.join(arrays)}."
            )
        counts = {len(each) for each in arrays.values()}
        if len(counts) != 1:
            raise ValueError(
                "`arrays` must have the same number of examples. Received: "
                f"{ {name: len(each) for name, each in arrays.items()} }."
            )
        (count,) = counts
        batch, parts = self._batch or max(count, 1), []
        for start in range(0, max(count, 1), batch):
            part = {name: each[start : start + batch] for name, each in arrays.items()}
            size = min(batch, count - start)
            found = self._run({name: _filled(each, batch) for name, each in part.items()})
            parts.append({name: each[:size] for name, each in found.items()})
        return {name: np.concatenate([each[name] for each in parts]) for name in self.outputs}

    def _run(self, arrays):
        """The outputs of one call of the runtime; the arrays have the file's batch size."""
        raise NotImplementedError

    def _check_batch(self, path, shapes):
        """The first axis that all inputs have in common; None if it is of any size."""
        sizes = {shape[0] if len(shape) else 0 for shape in shapes.values()}
        if len(sizes) != 1 or 0 in sizes:
            raise ValueError(
                f"{path}: the first axis of all inputs must be the batch. Received: {shapes}."
            )
        (size,) = sizes
        return size


def _filled(array, batch):
    """The array, padded with zeros to a whole batch."""
    missing = batch - len(array)
    return np.pad(array, ((0, missing), *[(0, 0)] * (array.ndim - 1))) if missing else array


def _named(names):
    """The names of the inputs; a single input is called "image"."""
    return ["image"] if len(names) == 1 else [*names]


def open_interpreter(path: Path, threads: int | None = None):
    """LiteRT's interpreter for a `.tflite` file, with tensors allocated.

    Raises:
        ModuleNotFoundError: LiteRT is not installed.
        ValueError: the file cannot be run.
    """
    from ai_edge_litert.interpreter import Interpreter

    try:
        interpreter = Interpreter(str(path), num_threads=threads or os.cpu_count())
        interpreter.allocate_tensors()
    except (ValueError, RuntimeError) as error:
        reason = str(error).strip().split("\n")[0]
        raise ValueError(f"{path}: not a TFLite file that can be run ({reason}).") from error
    return interpreter


class TFLiteNetwork(_Converted):
    """A `.tflite` file as a `Network`; it converts integer inputs and outputs from and to floats.

    Attributes:
        interpreter: LiteRT's interpreter.
        inputs: shape of each input by its name in the signature, or else the tensor's name.
        outputs: shape of each output, likewise, sorted by name.
    """

    def __init__(self, path: Path, threads: int):
        self.interpreter = open_interpreter(path, threads)
        self._path = path
        inputs, self._outputs = self._tensors()
        self._inputs = dict(zip(_named(inputs), inputs.values(), strict=True))
        shapes = {name: _shape(each) for name, each in self._inputs.items()}
        self._batch = self._check_batch(path, shapes)
        self.inputs = {name: shape[1:] for name, shape in shapes.items()}
        self.outputs = {name: _shape(each)[1:] for name, each in self._outputs.items()}

    def _tensors(self):
        """Inputs and outputs, sorted by name, since their order in the file is arbitrary."""
        signatures = self.interpreter.get_signature_list()
        if len(signatures) == 1:
            runner = self.interpreter.get_signature_runner(next(iter(signatures)))
            ends = runner.get_input_details(), runner.get_output_details()
        else:
            both = self.interpreter.get_input_details(), self.interpreter.get_output_details()
            ends = ({each["name"]: each for each in tensors} for tensors in both)
        return [dict(sorted(each.items())) for each in ends]

    def _run(self, arrays):
        for name, tensor in self._inputs.items():
            self.interpreter.set_tensor(tensor["index"], quantize(arrays[name], tensor))
        try:
            self.interpreter.invoke()
        except RuntimeError as error:
            reason = str(error).strip().split("\n")[0]
            raise ValueError(f"{self._path}: fails when it runs ({reason}).") from error
        return {
            name: dequantize(self.interpreter.get_tensor(each["index"]), each)
            for name, each in self._outputs.items()
        }


def _shape(tensor):
    return tuple(map(int, tensor["shape"]))


def quantize(values: np.ndarray, tensor: dict) -> np.ndarray:
    """Converts floats to the type of a TFLite tensor, by its scale and zero point if it has any."""
    scale, zero = tensor["quantization"]
    if not scale:
        return values.astype(tensor["dtype"])
    limits = np.iinfo(tensor["dtype"])
    return np.clip(np.rint(values / scale) + zero, limits.min, limits.max).astype(tensor["dtype"])


def dequantize(values: np.ndarray, tensor: dict) -> np.ndarray:
    """Converts the values of a TFLite tensor to float32, by its scale and zero point."""
    scale, zero = tensor["quantization"]
    values = values.astype(np.float32)
    return (values - zero) * np.float32(scale) if scale else values


class ONNXNetwork(_Converted):
    """An `.onnx` file as a `Network`.

    If a file has an input (batch, 3, height, width), all its arrays of four axes have channels
    first. They are transposed here: arrays of the `Network` have channels last.

    Attributes:
        inputs: shape of each input by name, channels last.
        outputs: shape of each output by name, channels last.
    """

    def __init__(self, path: Path, threads: int):
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        try:
            providers = ["CPUExecutionProvider"]
            self._session = onnxruntime.InferenceSession(str(path), options, providers=providers)
        except Exception as error:  # the library's exception classes are not public
            reason = str(error).strip().split("\n")[0]
            raise ValueError(f"{path}: not an ONNX file that can be run ({reason}).") from error
        inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
        names = _named([each.name for each in inputs])
        self._inputs = dict(zip(names, inputs, strict=True))
        shapes = {name: _sizes(each) for name, each in self._inputs.items()}
        self._batch = self._check_batch(path, shapes)
        self._first = any(len(s) == 4 and s[1] == 3 and s[3] != 3 for s in shapes.values())
        self.inputs = {name: self._last(shape) for name, shape in shapes.items()}
        self.outputs = {each.name: self._last(_sizes(each)) for each in outputs}

    def _last(self, shape):
        """The shape without the batch axis, channels last."""
        turned = self._first and len(shape) == 4
        return (*shape[2:], shape[1]) if turned else shape[1:]

    def _run(self, arrays):
        fed = {}
        for name, tensor in self._inputs.items():
            values = arrays[name].astype(_dtype(tensor.type), copy=False)
            if self._first and values.ndim == 4:
                values = np.ascontiguousarray(values.transpose(0, 3, 1, 2))
            fed[tensor.name] = values
        found = self._session.run([*self.outputs], fed)
        turned = (
            each.transpose(0, 2, 3, 1) if self._first and each.ndim == 4 else each for each in found
        )
        return dict(zip(self.outputs, turned, strict=True))


def _sizes(tensor):
    return tuple(n if isinstance(n, int) else None for n in tensor.shape)


def _dtype(kind):
    """The NumPy type for a type name of ONNX Runtime, such as "tensor(float)"."""
    name = kind.removeprefix("tensor(").removesuffix(")")
    return np.dtype({"float": "float32", "double": "float64"}.get(name, name))
