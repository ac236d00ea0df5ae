"""ONNX files of a network: of the usual nodes by `direct_onnx`, of all others by tf2onnx."""

import numpy as np

from hrnet_tf.convert.formats.direct_onnx import direct
from hrnet_tf.convert.formats.origin import end_facts
from hrnet_tf.convert.formats.refusal import culprit
from hrnet_tf.convert.graph.compute import function, own_weights
from hrnet_tf.convert.graph.nodes import Graph


def onnx_model(graph: Graph, opset: int = 17, batch: int | None = None, nchw: bool = False):
    """A graph as an ONNX model; inputs and outputs keep their names.

    Args:
        graph: of `source.open_source`.
        opset: version of ONNX's operations.
        batch: examples per call; None for any number.
        nchw: channels come first in inputs and outputs of four axes.

    Returns:
        An `onnx.ModelProto`, checked.

    Raises:
        ValueError: it cannot be written as ONNX.
    """
    try:
        return _converted(graph, opset, batch, nchw)
    except Exception as error:  # tf2onnx and onnx raise many kinds
        reason = str(error).strip().split("\n")[0]
        layer = culprit(graph, lambda one: _converted(one, opset, batch, False))
        raise ValueError(
            f"{layer or graph.name} cannot be written as ONNX ({reason}). Leave it out of the "
            "network, or write a .tflite file."
        ) from error


def _converted(graph, opset, batch, nchw):
    import onnx

    model = direct(graph, opset, batch, nchw) or traced(graph, opset, batch, nchw)
    # tf2onnx keeps operations that it cannot convert, without a word.
    onnx.checker.check_model(model, full_check=True)
    return model


def traced(graph: Graph, opset: int = 17, batch: int | None = None, nchw: bool = False):
    """The `onnx.ModelProto` of tf2onnx, unchecked; arguments as of `onnx_model`."""
    import tf2onnx

    # Open even for a file of fixed batch: `compute` cuts slices differently then.
    call = function(graph, own_weights(graph), None)
    first = {}
    if nchw:
        outputs = call.get_concrete_function().outputs
        images = [f"{name}:0" for name in graph.images]
        maps = [each.name for each in outputs if each.shape.rank == 4]
        first = {"inputs_as_nchw": images, "outputs_as_nchw": maps}
    handlers = {name: (_resize, []) for name in ("ResizeBilinear", "ResizeNearestNeighbor")}
    model, _ = tf2onnx.convert.from_function(
        call, call.input_signature, opset=opset, custom_op_handlers=handlers, **first
    )
    for each in (*model.graph.input, *model.graph.output):
        axis = each.type.tensor_type.shape.dim[0]
        if batch is None:
            axis.dim_param = "batch"
        else:
            axis.dim_value = batch
    model.graph.name = graph.name
    return model


def _resize(context, node, name, arguments):
    """Lets tf2onnx write the new size where the scale that it writes gives another size.

    Readers multiply by the scale, a float32, and round down: of 7 rows times 13 / 7 some make 12.
    """
    from tf2onnx.onnx_opset.nn import Resize

    old, new = context.get_shape(node.input[0])[1:3], node.inputs[1].get_tensor_value()
    scales = np.float32(new) / np.float32(old)
    products = [scales.astype(kind) * np.array(old, kind) for kind in ("float32", "float64")]
    if (np.floor(products) != new).any():
        size = context.make_node("Identity", [node.input[1]])  # sizes that are not constant stay
        context.replace_input(node, node.input[1], size.output[0], 1)
    Resize.version_11(context, node)


def tensor_facts(model) -> dict[str, object]:
    """Inputs and outputs of an `onnx.ModelProto` as fields of its card, as `origin.tensor_facts`.

    An open batch is -1.
    """
    import onnx

    def facts(value):
        sizes = value.type.tensor_type.shape.dim
        shape = [each.dim_value if each.HasField("dim_value") else -1 for each in sizes]
        dtype = onnx.helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type)
        return {"name": value.name, "shape": shape, "dtype": str(dtype)}

    return end_facts([*map(facts, model.graph.input)], [*map(facts, model.graph.output)])
