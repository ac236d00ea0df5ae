"""Finds operations that make a converted file slow or inexact, or that targets refuse."""

from collections.abc import Callable

from hrnet_tf.convert.reports.op_list import INTEGERS, WEIGHTED, Operation, Tensor

EXPANDED = ("TILE", "SHAPE", "STRIDED_SLICE", "BROADCAST_TO", "PACK", "Tile", "Shape", "Expand")
VARIABLES = ("VAR_HANDLE", "READ_VARIABLE", "ASSIGN_VARIABLE", "CALL_ONCE")
DECODING = "keypoints/"  # name scope of the operations that `--decode` adds, which are for CPUs
NAMED = 3  # operations that a sentence names at most


def lint(operations: list[Operation], pure: bool | None = None) -> list[str]:
    """Problems of a file, one sentence each; empty if there are none.

    Args:
        operations: of `op_list.read_operations`.
        pure: whether all operations should be of integers; by default if a convolution returns
            integers.
    """
    if pure is None:
        pure = any(e.name in WEIGHTED and _type(e.outputs) in INTEGERS for e in operations)
    checks = [_custom, _expanded, _variables, _open_sizes, _resize_versions]
    if pure:
        checks += [_conversions, _floats]
    return [sentence for check in checks for sentence in check(operations)]


def _custom(operations):
    """Flex operations need TensorFlow's runtime of 30 MB, custom ones a runtime that has them."""
    found = [each for each in operations if each.custom]
    if found:
        yield (
            f"{_several(found, lambda e: e.name)} are no operations of the standard, so a plain "
            "runtime refuses the file: leave them out, or write them with built-in operations."
        )


def _expanded(operations):
    found = [
        each
        for each in operations
        if each.name in EXPANDED and not each.outputs[0].name.startswith(DECODING)
    ]
    if found:
        yield (
            f"{_several(found, _place)} compute sizes or copies at run time, which delegates "
            "refuse: convert with to_tflite.py, for a fixed size."
        )


def _variables(operations):
    found = [each for each in operations if each.name in VARIABLES]
    if found:
        yield (
            f"{_several(found, _place)} keep variables in the file: a normalization was converted "
            "as in training; convert with to_tflite.py."
        )


def _open_sizes(operations):
    # ONNX files may leave the batch open: their runtimes want that.
    onnx = any(each.name in ("Conv", "Gemm", "MatMul") for each in operations)
    found = [
        each
        for each in operations
        if any(-1 in (t.shape[1:] if onnx else t.shape) for t in (*each.maps, *each.outputs))
    ]
    if found:
        yield (
            f"{_several(found, _place)} have tensors of open size, which most delegates refuse: "
            "convert with a fixed size and batch."
        )


def _resize_versions(operations):
    found = [each for each in operations if each.name.startswith("RESIZE_") and each.version > 2]
    if found:
        yield (
            f"{_several(found, _place)} are of version {max(e.version for e in found)} (half-pixel "
            "centres): Edge TPU and older delegates take up to 2."
        )


def _conversions(operations):
    """QUANTIZE should read inputs only; DEQUANTIZE should read constants or make outputs."""
    made = {tensor.name for each in operations for tensor in each.outputs}
    read = {tensor.name for each in operations for tensor in each.maps}
    head = _float_head(operations)
    inside = [
        each
        for each in operations
        if each.name in ("QUANTIZE", "DEQUANTIZE")
        and each.maps
        and each.outputs[0].name in read - head
        and (each.name == "DEQUANTIZE" or each.maps[0].name in made)
    ]
    mixed = [each for each in inside if "float32" in (_type(each.maps), _type(each.outputs))]
    if mixed:
        yield (
            f"{_several(mixed, _place)} in the middle of the integer graph: what lies between is "
            "computed in float32."
        )
    rescaled = [each for each in inside if each not in mixed]
    if rescaled:
        yield f"{_several(rescaled, _place)} only rescale: give what is joined there one scale."


def _floats(operations):
    ends, head = ("QUANTIZE", "DEQUANTIZE"), _float_head(operations)
    found = {
        tensor.name: tensor
        for each in operations
        if each.name not in ends
        for tensor in (*each.maps, *each.outputs)
        if tensor.dtype in ("float32", "float16") and tensor.name not in head
    }
    if found:
        yield (
            f"{_several(list(found.values()), lambda t: t.name)} are float tensors in an integer "
            "graph: quantize what makes them."
        )


def _float_head(operations):
    """Names of the inputs and results of last operations that are float in `int8_float_head`."""
    widened = {each.outputs[0].name for each in operations if each.name == "DEQUANTIZE"}
    read = {tensor.name for each in operations for tensor in each.maps}
    return {
        tensor.name
        for each in operations
        if each.name != "QUANTIZE"
        and each.outputs[0].name not in read
        and widened.issuperset(tensor.name for tensor in each.maps)
        for tensor in (*each.maps, *each.outputs)
    }


def _type(tensors: list[Tensor] | tuple[Tensor, ...]) -> str:
    return tensors[0].dtype if tensors else ""


def _place(operation: Operation) -> str:
    """The operation and the first of the names that the converter joined for its result."""
    return f"{operation.name} ({operation.outputs[0].name.split(';')[0]})"


def _several(things: list, name: Callable) -> str:
    """Some names, and how many more there are."""
    names = list(dict.fromkeys(map(name, things)))
    more = len(things) - NAMED
    if more > 0 and len(names) > NAMED:
        return f"{', '.join(names[:NAMED])} and {more} more"
    return f"{len(things)} times {names[0]}" if len(names) < len(things) else ", ".join(names)
