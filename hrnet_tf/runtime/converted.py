"""Converted files as functions from images to maps or logits: `.tflite` and `.onnx`.

Their runtimes are libraries of their own: `pip install ai-edge-litert`, `pip install onnxruntime`.
"""

import os
from pathlib import Path

import numpy as np

RUNTIMES = {".tflite": "ai-edge-litert", ".onnx": "onnxruntime"}


def open_converted(path: str | os.PathLike, threads: int | None = None):
    """A converted file as a function from float images (B, H, W, 3) to float maps or logits.

    Args:
        path: a `.tflite` or `.onnx` file.
        threads: how many the network may use; all cores if None.

    Returns:
        A `TFLiteNetwork` or `ONNXNetwork`.

    Raises:
        FileNotFoundError: there is no such file.
        ModuleNotFoundError: the runtime is not installed.
        ValueError: the file is damaged, or not a network from one image tensor.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file; check its name.")
    kind = TFLiteNetwork if path.suffix == ".tflite" else ONNXNetwork
    try:
        return kind(path, threads or os.cpu_count())
    except ModuleNotFoundError as error:
        library = RUNTIMES[path.suffix]
        raise ModuleNotFoundError(
            f"{path}: its runtime is missing. Install it with `pip install {library}`."
        ) from error


class TFLiteNetwork:
    """A `.tflite` file; integer inputs and outputs are scaled here, any number of images is taken.

    Attributes:
        input_shape: (None, height, width, 3).
        output_shape: of the first output; of "heatmaps" and "keypoints" the first by name.
    """

    def __init__(self, path: Path, threads: int):
        from ai_edge_litert.interpreter import Interpreter

        try:
            self._interpreter = Interpreter(str(path), num_threads=threads)
            self._interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            reason = str(error).strip().split("\n")[0]
            raise ValueError(f"{path}: not a TFLite file that can be run ({reason}).") from error
        inputs = self._interpreter.get_input_details()
        if len(inputs) != 1 or len(inputs[0]["shape"]) != 4:
            raise ValueError(
                f"{path}: a network takes one image (1, height, width, 3). "
                f"Received: {[tuple(map(int, each['shape'])) for each in inputs]}."
            )
        self._input, self._outputs = inputs[0], self._by_name()
        self._batch = int(self._input["shape"][0])
        self.input_shape = (None, *map(int, self._input["shape"][1:]))
        self.output_shape = (None, *map(int, self._outputs[0]["shape"][1:]))

    def _by_name(self):
        """The outputs in the order of their names in the signature; that of the file is chance."""
        outputs = self._interpreter.get_output_details()
        signatures = self._interpreter.get_signature_list()
        if len(signatures) != 1 or len(outputs) == 1:
            return outputs
        runner = self._interpreter.get_signature_runner(next(iter(signatures)))
        named = runner.get_output_details()
        order = {named[name]["index"]: place for place, name in enumerate(sorted(named))}
        return sorted(outputs, key=lambda each: order.get(each["index"], len(order)))

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """The first output (B, …) float32 of images (B, H, W, 3) float32."""
        return self.outputs(images)[0]

    def outputs(self, images: np.ndarray) -> list[np.ndarray]:
        """All outputs, in the order of their names if they have any."""
        return _batched(self._run, images, self._batch)

    def _run(self, images):
        self._interpreter.set_tensor(self._input["index"], quantize(images, self._input))
        self._interpreter.invoke()
        tensors = [(each, self._interpreter.get_tensor(each["index"])) for each in self._outputs]
        return [dequantize(values, each) for each, values in tensors]


def _batched(run, images, batch):
    """The outputs of `run`, which takes exactly so many images: the last ones are filled up."""
    parts = []
    for start in range(0, len(images), batch):
        part = images[start : start + batch]
        missing = ((0, batch - len(part)), *[(0, 0)] * (images.ndim - 1))
        parts.append([each[: len(part)] for each in run(np.pad(part, missing))])
    return [np.concatenate(each) for each in zip(*parts, strict=True)]


def quantize(values: np.ndarray, tensor: dict) -> np.ndarray:
    """Floats as the integers, or floats, of a TFLite tensor."""
    scale, zero = tensor["quantization"]
    if not scale:
        return values.astype(tensor["dtype"])
    limits = np.iinfo(tensor["dtype"])
    return np.clip(np.rint(values / scale) + zero, limits.min, limits.max).astype(tensor["dtype"])


def dequantize(values: np.ndarray, tensor: dict) -> np.ndarray:
    """What the integers of a TFLite tensor stand for, float32."""
    scale, zero = tensor["quantization"]
    values = values.astype(np.float32)
    return (values - zero) * np.float32(scale) if scale else values


class ONNXNetwork:
    """An `.onnx` file with images as NHWC or NCHW, told by where the three channels are.

    Attributes:
        input_shape: (batch, height, width, 3).
        output_shape: of the first output, channels last.
    """

    def __init__(self, path: Path, threads: int):
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        try:
            providers = ["CPUExecutionProvider"]
            self._session = onnxruntime.InferenceSession(str(path), options, providers=providers)
        except Exception as error:  # the library has a class for every reason, none public
            reason = str(error).strip().split("\n")[0]
            raise ValueError(f"{path}: not an ONNX file that can be run ({reason}).") from error
        (image, *more), output = self._session.get_inputs(), self._session.get_outputs()[0]
        if more or len(image.shape) != 4:
            raise ValueError(f"{path}: a network takes one image with batch and channel axes.")
        self._name = image.name
        self._batch = image.shape[0] if isinstance(image.shape[0], int) else None
        self._first = image.shape[1] == 3 and image.shape[3] != 3
        self.input_shape = self._last(image.shape)
        self.output_shape = self._last(output.shape)

    def _last(self, shape):
        shape = [n if isinstance(n, int) else None for n in shape]
        if self._first and len(shape) == 4:
            shape = [shape[0], *shape[2:], shape[1]]
        return (None, *shape[1:])

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """The first output (B, …) float32 of images (B, H, W, 3) float32."""
        return self.outputs(images)[0]

    def outputs(self, images: np.ndarray) -> list[np.ndarray]:
        """All outputs, channels last."""
        if self._first:
            images = np.ascontiguousarray(images.transpose(0, 3, 1, 2))
        outputs = _batched(self._run, images, self._batch or len(images))
        first = [self._first and output.ndim == 4 for output in outputs]
        return [x.transpose(0, 2, 3, 1) if f else x for x, f in zip(outputs, first, strict=True)]

    def _run(self, images):
        return self._session.run(None, {self._name: images})
