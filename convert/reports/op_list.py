"""The operations of a converted file, `.tflite` or `.onnx`, as a list."""

import dataclasses
import os
from collections import Counter
from pathlib import Path

import numpy as np

from hrnet_tf.files import existing

WEIGHTED = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "Conv", "Gemm", "MatMul")
INTEGERS = {
    "int8": "int8",
    "uint8": "uint8",
    "int16": "int16x8",
}  # type of an operation's input -> precision


@dataclasses.dataclass(frozen=True)
class Tensor:
    """An input or output of an operation.

    Attributes:
        name: in the file.
        shape: -1 where it is open.
        dtype: as NumPy calls it.
        constant: its values are stored in the file.
        values: the values of a small integer constant such as a shape or an axis, else None.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    constant: bool = False
    values: tuple[int, ...] | None = None


@dataclasses.dataclass(frozen=True)
class Operation:
    """One operation.

    Attributes:
        name: TFLite's, such as CONV_2D, or ONNX's, such as Conv; of a custom one its own.
        version: of a TFLite operation; of ONNX the opset.
        inputs: tensors, without optional ones that are not given.
        outputs: tensors.
        settings: its attributes in a TFLite file; empty for ONNX.
        custom: the standard does not have it.
    """

    name: str
    version: int
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    settings: dict = dataclasses.field(default_factory=dict, hash=False)
    custom: bool = False

    @property
    def maps(self) -> list[Tensor]:
        """The inputs that are not constants."""
        return [each for each in self.inputs if not each.constant]


def read_operations(path: str | os.PathLike) -> list[Operation]:
    """The operations of a file in the order in which they run.

    Raises:
        ModuleNotFoundError: the library that reads it is not installed.
        ValueError: not such a file, or a damaged one.
    """
    path = Path(path)
    if path.suffix not in READERS:
        raise ValueError(
            f"`path` must be a .tflite or .onnx file. Received: path={str(path)!r}. "
            "`python convert/to_tflite.py` makes one."
        )
    existing(path)
    library, read = READERS[path.suffix]
    try:
        return read(path)
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"{path}: what reads it is missing. Install it with `pip install {library}`."
        ) from error
    except Exception as error:  # the readers fail in many ways on damaged files
        raise ValueError(f"{path}: not a whole {path.suffix} file; convert it again.") from error


def _read_tflite(path):
    from ai_edge_litert import schema_py_generated as schema

    data = path.read_bytes()
    if not schema.Model.ModelBufferHasIdentifier(data, 0):
        raise ValueError("no TFLite file")
    model = schema.Model.GetRootAs(data)
    names = {number: name for name, number in vars(schema.BuiltinOperator).items()}
    return [
        _tflite_operation(schema, model, graph, graph.Operators(number), names)
        for graph in map(model.Subgraphs, range(model.SubgraphsLength()))
        for number in range(graph.OperatorsLength())
    ]


def _tflite_operation(schema, model, graph, operation, names):
    code = model.OperatorCodes(operation.OpcodeIndex())
    # Files from before TensorFlow 2.4 have the code in the older field of one byte.
    name = names[max(code.BuiltinCode(), code.DeprecatedBuiltinCode())]
    inputs = operation.InputsAsNumpy() if operation.InputsLength() else ()
    return Operation(
        code.CustomCode().decode() if name == "CUSTOM" else name,
        code.Version(),
        tuple(_tflite_tensor(schema, model, graph.Tensors(i)) for i in inputs if i >= 0),
        tuple(_tflite_tensor(schema, model, graph.Tensors(i)) for i in operation.OutputsAsNumpy()),
        vars(schema.OperatorT.InitFromObj(operation).builtinOptions or object)
        if operation.BuiltinOptions()
        else {},
        name == "CUSTOM",
    )


def _tflite_tensor(schema, model, tensor):
    types = {number: name.lower() for name, number in vars(schema.TensorType).items()}
    dtype = types[tensor.Type()]
    # Of a dynamic size, the signature has -1 where the shape has 1.
    shape = tensor.ShapeSignatureAsNumpy() if tensor.ShapeSignatureLength() else ()
    if not len(shape):
        shape = tensor.ShapeAsNumpy() if tensor.ShapeLength() else ()
    buffer = model.Buffers(tensor.Buffer())
    constant = bool(buffer.DataLength() or buffer.Offset())
    values = None
    if buffer.DataLength() and dtype == "int32" and buffer.DataLength() <= 64:
        values = tuple(map(int, np.frombuffer(buffer.DataAsNumpy().tobytes(), "<i4")))
    return Tensor(tensor.Name().decode(), tuple(map(int, shape)), dtype, constant, values)


def _read_onnx(path):
    import onnx

    model = onnx.load(path, load_external_data=False)
    opsets = {each.domain: each.version for each in model.opset_import}
    onnx.checker.check_model(model)
    graph = onnx.shape_inference.infer_shapes(model).graph
    tensors = {
        each.name: Tensor(each.name, tuple(each.dims), _onnx_type(each.data_type), True)
        for each in graph.initializer
    }
    for each in (*graph.input, *graph.value_info, *graph.output):
        kind = each.type.tensor_type
        shape = tuple(d.dim_value if d.HasField("dim_value") else -1 for d in kind.shape.dim)
        tensors.setdefault(each.name, Tensor(each.name, shape, _onnx_type(kind.elem_type)))

    def find(names):
        return tuple(tensors.get(name, Tensor(name, (), "unknown")) for name in names if name)

    return [
        Operation(
            node.op_type,
            opsets.get(node.domain, 0),
            find(node.input),
            find(node.output),
            custom=node.domain not in ("", "ai.onnx", "ai.onnx.ml"),
        )
        for node in graph.node
    ]


def _onnx_type(number):
    import onnx

    return str(onnx.helper.tensor_dtype_to_np_dtype(number)) if number else "unknown"


READERS = {".tflite": ("ai-edge-litert", _read_tflite), ".onnx": ("onnx", _read_onnx)}


def counts(operations: list[Operation]) -> dict[str, int]:
    """Number of operations by name and version, {"CONV_2D v3": 293, …}, the most frequent first."""
    return dict(Counter(f"{each.name} v{each.version}" for each in operations).most_common())


def precision(operations: list[Operation]) -> str:
    """The type of numbers that convolutions and matrix products compute with.

    Returns:
        The most frequent of "int8", "uint8" and "int16x8" (maps int16, weights int8) if any of them
        takes integers; else "dynamic" if some weights are int8, "float16" if some are float16, or
        "float32".
    """
    made = {output.name: each for each in operations for output in each.outputs}
    found = Counter(
        _precision(each, made) for each in operations if each.name in WEIGHTED and each.maps
    )
    for group in (("int8", "uint8", "int16x8"), ("dynamic",), ("float16",)):
        present = [each for each, _ in found.most_common() if each in group]
        if present:
            return present[0]
    return "float32"


def _precision(operation, made):
    image, weights = operation.inputs[0].dtype, operation.inputs[1]
    before = made.get(weights.name)
    if before and before.name in ("DEQUANTIZE", "Cast", "DequantizeLinear"):
        weights = before.inputs[0]
    if image in INTEGERS:
        return INTEGERS[image]
    return {"int8": "dynamic", "float16": "float16"}.get(weights.dtype, "float32")
