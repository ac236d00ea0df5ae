"""Which operations of a `.tflite` file run on Edge TPU and GPUs, by the rules of their vendors."""

import dataclasses
from collections import Counter
from collections.abc import Callable

from hrnet_tf.convert.reports.op_list import Operation


@dataclasses.dataclass(frozen=True)
class Left:
    """An operation that a target leaves to the CPU.

    Attributes:
        number: its place in the file, from 0.
        name: such as TRANSPOSE.
        tensor: its result.
        reason: in words.
        remedy: what to change.
        end: it converts a float input or to a float output, which the CPU may do.
    """

    number: int
    name: str
    tensor: str
    reason: str
    remedy: str = ""
    end: bool = False


@dataclasses.dataclass(frozen=True)
class TargetReport:
    """How much of a file a target runs.

    Attributes:
        target: its name.
        operations: number of operations in the file.
        left: operations that it leaves to the CPU, in order.
        notes: further facts, a sentence each.
    """

    target: str
    operations: int
    left: tuple[Left, ...]
    notes: tuple[str, ...] = ()

    @property
    def first(self) -> Left | None:
        """The first operation left to the CPU that is not an end."""
        return next((each for each in self.left if not each.end), None)

    def lines(self) -> list[str]:
        """All of it as text."""
        mapped = self.operations - len(self.left)
        lines = [f"{self.target}: takes {mapped} of {self.operations} operations"]
        if self.first:
            lines.append(
                f"  the first that is not: number {self.first.number}, {self.first.name} "
                f"({self.first.tensor.split(';')[0]}); {self.first.reason}"
            )
        kinds = Counter((each.name, each.reason, each.remedy) for each in self.left)
        lines += [
            f"  {count} {name}: {reason}. {remedy}"
            for (name, reason, remedy), count in kinds.most_common()
        ]
        return lines + [f"  {note}" for note in self.notes]


SHUFFLES = "Convert again with to_tflite.py, which folds channel shuffles into the weights."
AGAIN = "Convert again with to_tflite.py."
INT8 = "Convert with to_tflite.py --int8."
FLOAT_ENDS = "It may stay there, or convert with --input_type=int8 --output_type=int8."
OUTSIDE = "Leave it out of the file and compute it from the outputs."
OTHER_HEAD = 'Choose a network without it, such as head="concat" instead of "ocr".'
RESIZES = {
    "RESIZE_BILINEAR": "Build the network with nearest or align-corners upsampling.",
    "RESIZE_NEAREST_NEIGHBOR": AGAIN,
}
REMEDIES = {
    "TRANSPOSE": SHUFFLES,
    "RESHAPE": SHUFFLES,
    "SOFTMAX": OTHER_HEAD,
    "BATCH_MATMUL": OTHER_HEAD,
    "RESIZE_BILINEAR": "Build the network with nearest upsampling, or leave it to the CPU.",
} | dict.fromkeys(("TILE", "SHAPE", "STRIDED_SLICE", "BROADCAST_TO", "PACK"), AGAIN)
REMEDIES |= dict.fromkeys(("ARG_MAX", "TOPK_V2", "GATHER", "GATHER_ND", "CAST"), OUTSIDE)


def edge_tpu(operations: list[Operation]) -> TargetReport:
    """Judges by Coral's table of operations (models-intro, compiler 16) and reports of its users.

    The CPU runs the first operation that is not mapped and all operations behind it.
    """
    report = _report("Edge TPU", operations, _edge_tpu)
    if not report.first:
        return report
    behind = len(operations) - report.first.number - 1
    note = f"The {behind} operations behind the first one stay on the CPU as well."
    return dataclasses.replace(report, notes=(note,))


def gpu(operations: list[Operation]) -> TargetReport:
    """Judges by the checks of TFLite's GPU delegate (`gpu_compatibility.cc`, TensorFlow 2.21).

    The delegate computes int8 files in float. Operations that it refuses split the graph.
    """
    return _report("GPU delegate", operations, _gpu)


def _report(target, operations, check: Callable[[Operation], str | tuple[str, str] | None]):
    ends = float_ends(operations)
    left = []
    for number, each in enumerate(operations):
        found = check(each)
        if found:
            reason, remedy = found if isinstance(found, tuple) else (found, "")
            left.append(judged(Left(number, each.name, each.outputs[0].name, reason, remedy), ends))
    return TargetReport(target, len(operations), tuple(left))


def judged(left: Left, ends: set[str]) -> Left:
    """The operation with the usual remedy if it has none; one of `float_ends` becomes an end."""
    if left.tensor in ends:
        return dataclasses.replace(left, reason="of floats", remedy=FLOAT_ENDS, end=True)
    return dataclasses.replace(left, remedy=left.remedy or REMEDIES.get(left.name, OUTSIDE))


def float_ends(operations: list[Operation]) -> set[str]:
    """Names of the results of operations that quantize an input or dequantize an output."""
    made = {tensor.name for each in operations for tensor in each.outputs}
    read = {tensor.name for each in operations for tensor in each.maps}
    return {
        each.outputs[0].name
        for each in operations
        if (each.name == "QUANTIZE" and each.maps[0].name not in made)
        or (each.name == "DEQUANTIZE" and each.outputs[0].name not in read)
    }


def _words(text):
    return set(text.split())


EDGE_TPU = _words(
    "ADD AVERAGE_POOL_2D CONCATENATION CONV_2D DEPTHWISE_CONV_2D EXPAND_DIMS FULLY_CONNECTED "
    "L2_NORMALIZATION LOGISTIC MAXIMUM MAX_POOL_2D MEAN MINIMUM MUL PACK PAD PRELU QUANTIZE "
    "REDUCE_MAX REDUCE_MIN RELU RELU6 RELU_N1_TO_1 RESHAPE RESIZE_BILINEAR RESIZE_NEAREST_NEIGHBOR "
    "RSQRT SLICE SOFTMAX SPACE_TO_DEPTH SPLIT SQUARED_DIFFERENCE SQUEEZE STRIDED_SLICE SUB SUM "
    "TANH TRANSPOSE TRANSPOSE_CONV UNIDIRECTIONAL_SEQUENCE_LSTM"
)
UNFUSED = ("AVERAGE_POOL_2D", "CONCATENATION", "MAX_POOL_2D")
SOFTMAX_ELEMENTS = 16_000


def _edge_tpu(operation):
    """Why Edge TPU leaves an operation to the CPU; None if it runs it."""
    tensors = (*operation.maps, *operation.outputs)
    if operation.custom or operation.name not in EDGE_TPU | {"DEQUANTIZE"}:
        return "not among its operations"
    if any(each.dtype not in ("int8", "uint8") for each in tensors):
        return f"computes with {tensors[0].dtype}, it has 8 bits alone", INT8
    if any(-1 in each.shape for each in tensors):
        return "of open size", "Convert with a fixed size."
    if any(each.shape[0] != 1 for each in tensors if len(each.shape) == 4):
        return "more than one image at a time", "Convert with --batch=1."
    if any(n != 1 for each in tensors for n in each.shape[:-3]):
        return "more than three axes beside the batch", SHUFFLES
    return _edge_tpu_limits(operation)


def _edge_tpu_limits(operation):
    name, settings = operation.name, operation.settings
    if name in UNFUSED and settings.get("fusedActivationFunction"):
        return "with a fused activation", AGAIN
    if name.startswith("RESIZE_") and operation.version > 2:
        return f"of version {operation.version}, it takes up to 2", RESIZES[name]
    if settings.get("dilationHFactor") != settings.get("dilationWFactor"):
        return "dilation differs between rows and columns"
    if name == "SOFTMAX" and max(operation.outputs[0].shape[:-1], default=1) > 1:
        return "of more than one axis"
    if name == "SOFTMAX" and operation.outputs[0].shape[-1] > SOFTMAX_ELEMENTS:
        return f"of more than {SOFTMAX_ELEMENTS} numbers"
    if name == "STRIDED_SLICE" and set(operation.inputs[3].values or (2,)) != {1}:
        return "with strides"
    if name == "TRANSPOSE":
        return "mapped from compiler 16 on, and by experience seldom"
    return None


GPU = _words(
    "ABS ADD ADD_N ATAN2 AVERAGE_POOL_2D BATCH_MATMUL CAST CEIL CONCATENATION CONV_2D COS CUMSUM "
    "DENSIFY DEPTHWISE_CONV_2D DEPTH_TO_SPACE DEQUANTIZE DIV DYNAMIC_UPDATE_SLICE ELU "
    "EMBEDDING_LOOKUP EQUAL EXP FLOOR FLOOR_DIV FLOOR_MOD FULLY_CONNECTED GATHER GELU GREATER "
    "GREATER_EQUAL HARD_SWISH LEAKY_RELU LESS LESS_EQUAL LOG LOGICAL_AND LOGISTIC LSTM MAXIMUM "
    "MAX_POOL_2D MEAN MINIMUM MIRROR_PAD MUL NEG NOT_EQUAL ONE_HOT PACK PAD PADV2 POW PRELU "
    "QUANTIZE REDUCE_MAX REDUCE_MIN REDUCE_PROD RELU RELU6 RELU_N1_TO_1 RESHAPE RESIZE_BILINEAR "
    "RESIZE_NEAREST_NEIGHBOR RSQRT SELECT SELECT_V2 SIGN SIN SLICE SOFTMAX SPACE_TO_DEPTH SPLIT "
    "SPLIT_V SQRT SQUARE SQUARED_DIFFERENCE STRIDED_SLICE SUB SUM TANH TILE TRANSPOSE "
    "TRANSPOSE_CONV"
)


def _gpu(operation):
    """Why the GPU delegate leaves an operation to the CPU; None if it runs it."""
    name, settings = operation.name, operation.settings
    tensors = (*operation.maps, *operation.outputs)
    if operation.custom or name not in GPU:
        return "not among its operations"
    if any(each.dtype in ("int16", "int64") for each in tensors):
        return f"computes with {tensors[0].dtype}", "Convert with --float16 or --int8."
    if any(-1 in each.shape for each in tensors):
        return "of open size", "Convert with a fixed size."
    if any(len(each.shape) > 4 for each in tensors):
        return "tensors of more than four axes", SHUFFLES
    if name in ("SLICE", "STRIDED_SLICE") and len(operation.inputs[0].shape) < 3:
        return "cuts tensors of three or four axes alone"
    if any(settings.get(f"{mask}Mask") for mask in ("ellipsis", "newAxis", "shrinkAxis")):
        return "a slice that adds or drops axes", AGAIN
    if name == "SOFTMAX" and settings["beta"] != 1:
        return "with a beta"
    return None
