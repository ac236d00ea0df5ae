"""Float `.tflite` files written from the plain nodes.

TensorFlow's converter traces the graph, saves it and reads it again, which takes it nine seconds of
CPU time for HRNet-W32; this module takes one. It writes the operations that the converter makes of
the kinds of nodes below, with the library's schema. Networks with other nodes need the converter.
"""

from collections.abc import Callable

import numpy as np

from hrnet_tf.convert.formats.flatbuffer import packed
from hrnet_tf.convert.graph.nodes import Graph, Node

ACTIVATIONS = {"relu": "RELU", "relu6": "RELU6", "sigmoid": "LOGISTIC", "tanh": "TANH"}
FUSED = ("relu", "relu6")  # what operations compute along with their own result
FUSING = ("conv", "depthwise", "dense", "add", "subtract", "multiply", "average_pool", "max_pool")


def direct(graph: Graph, batch: int = 1) -> bytes | None:
    """The content of a float32 file, or None if a node is of a kind that is not known here.

    Args:
        graph: after `fold_norms` and `merge_resizes`.
        batch: examples per call.

    Returns:
        A file with the operations that TensorFlow's converter makes, its inputs and outputs in the
        signature "serving_default".
    """
    if not graph.consists_of(_known):
        return None
    file, fused = _File(batch), _fused(graph)
    for node in graph.nodes:
        if node.kind == "input":
            file.tensors[node] = file.add(node.name, (batch, *node.shape))
        elif node in fused.values():
            file.tensors[node] = file.tensors[node.inputs[0]]
        else:
            function = fused[node].settings["function"] if node in fused else None
            WRITERS[node.kind](file, node, function)
    return file.content(graph)


def _known(node):
    settings, shape = node.settings, node.shape
    checks = {
        "input": True,
        "conv": settings.get("groups", 1) == 1,
        "dense": len(shape) == 1 and all(len(each.shape) == 1 for each in node.inputs),
        "activation": settings.get("function") in ACTIVATIONS,
        "resize": settings.get("method") == "bilinear"
        and all(each.shape != shape for each in node.inputs),
        "softmax": settings.get("axis") in (-1, len(shape)),
        "concat": len(node.inputs) > 1,
    }
    return checks.get(node.kind, node.kind in WRITERS)


def _fused(graph):
    """Operations that also compute the activation behind them -> that activation."""
    readers, found = graph.readers(), {}
    for node in graph.nodes:
        if node.kind == "activation" and node.settings["function"] in FUSED:
            (first,) = node.inputs
            if first.kind in FUSING and readers[first] == [node]:
                found[first] = node
    return found


class _File:
    """A file that is being written: tensors, their buffers and operations.

    Attributes:
        batch: examples per call.
        tensors: the number of the tensor with each node's result.
    """

    def __init__(self, batch):
        from tensorflow.lite.python import schema_py_generated as schema

        self.schema, self.batch, self.tensors = schema, batch, {}
        self._model = schema.ModelT(version=3, description="hrnet_tf", operatorCodes=[])
        self._model.buffers = [schema.BufferT()]  # the first one is empty, for computed tensors
        self._graph = schema.SubGraphT([], [], [], [], "main")
        self._codes, self._constants = {}, {}

    def add(self, name, shape, buffer=0, kind="FLOAT32"):
        """A new tensor's number."""
        tensor = self.schema.TensorT(name=name, buffer=buffer, hasRank=True)
        tensor.shape, tensor.type = [*shape], getattr(self.schema.TensorType, kind)
        self._graph.tensors.append(tensor)
        return len(self._graph.tensors) - 1

    def constant(self, name, values):
        """The number of a tensor with these float32 or int32 values; equal ones share a tensor."""
        values = np.ascontiguousarray(values)
        content = values.view(np.uint8).reshape(-1) if values.ndim else values[None].view(np.uint8)
        key = values.shape, values.dtype.str, content.tobytes()
        if key not in self._constants:
            self._model.buffers.append(self.schema.BufferT(content))
            place, kind = len(self._model.buffers) - 1, values.dtype.name.upper()
            self._constants[key] = self.add(name, values.shape, place, kind)
        return self._constants[key]

    def operation(self, kind, inputs, name, shape, options=None, version=1, **values):
        """Appends an operation; returns the number of its result.

        Args:
            kind: in the schema, such as "CONV_2D".
            inputs: numbers of tensors.
            name: of the result.
            shape: of the result, with the batch.
            options: name of the table with its options; None if it has none.
            version: of the operation.
            values: fields of the options.
        """
        schema = self.schema
        code = getattr(schema.BuiltinOperator, kind)
        if (code, version) not in self._codes:
            self._codes[code, version] = len(self._codes)
            old = min(code, 127)  # where readers before 2.4 look
            self._model.operatorCodes.append(
                schema.OperatorCodeT(old, version=version, builtinCode=code)
            )
        result = self.add(name, shape)
        found = schema.OperatorT(self._codes[code, version], [*inputs], [result])
        if options:
            found.builtinOptionsType = getattr(schema.BuiltinOptions, options)
            found.builtinOptions = getattr(schema, options + "T")(**values)
        self._graph.operators.append(found)
        return result

    def write(self, node, kind, *more, **values):
        """`operation` of a node's inputs, then `more`; its result becomes that of the node."""
        sources = [self.tensors[each] for each in node.inputs]
        shape = (self.batch, *node.shape)
        self.tensors[node] = self.operation(kind, [*sources, *more], node.name, shape, **values)

    def content(self, graph):
        """The content of the file."""
        ends = [(graph.inputs, [*graph.inputs]), (graph.outputs, sorted(graph.outputs))]
        maps = [
            [self.schema.TensorMapT(name, self.tensors[nodes[name]]) for name in names]
            for nodes, names in ends
        ]
        self._graph.inputs, self._graph.outputs = ([x.tensorIndex for x in each] for each in maps)
        self._model.subgraphs = [self._graph]
        signature = self.schema.SignatureDefT(*maps, signatureKey="serving_default")
        self._model.signatureDefs = [signature]
        return packed(self._model)


def _fusing(file, function):
    name = ACTIVATIONS[function] if function else "NONE"
    return {"fusedActivationFunction": getattr(file.schema.ActivationFunctionType, name)}


def _window(file, node):
    """Strides and padding of a convolution or pooling."""
    height, width = node.settings["strides"]
    padding = getattr(file.schema.Padding, node.settings["padding"].upper())
    return {"strideH": int(height), "strideW": int(width), "padding": padding}


def _kernel(file, node, kernel):
    """The numbers of the tensors with the kernel and the bias, zeros if there is none."""
    bias = node.weights.get("bias", np.zeros(node.channels, np.float32))
    return file.constant(f"{node.name}/kernel", kernel), file.constant(f"{node.name}/bias", bias)


def _conv(file, node, function):
    depthwise = node.kind == "depthwise"
    kernel, settings = node.weights["kernel"], _window(file, node)
    height, width = (int(each) for each in node.settings.get("dilation", (1, 1)))
    settings |= {"dilationHFactor": height, "dilationWFactor": width, **_fusing(file, function)}
    if depthwise:
        weights = _kernel(file, node, kernel.reshape(1, *kernel.shape[:2], -1))
        settings |= {"depthMultiplier": kernel.shape[3], "options": "DepthwiseConv2DOptions"}
        settings |= {"version": 2 if max(height, width) > 1 else 1}
        file.write(node, "DEPTHWISE_CONV_2D", *weights, **settings)
    else:
        weights = _kernel(file, node, kernel.transpose(3, 0, 1, 2))
        file.write(node, "CONV_2D", *weights, options="Conv2DOptions", **settings)


def _dense(file, node, function):
    weights = _kernel(file, node, node.weights["kernel"].T)
    fusing = _fusing(file, function)
    file.write(node, "FULLY_CONNECTED", *weights, options="FullyConnectedOptions", **fusing)


def _binary(kind, options, **values):
    def write(file, node, function):
        settings = {"options": options, **_fusing(file, function), **values}
        more = []
        if "constant" in node.settings:
            constant = np.asarray(node.settings["constant"], np.float32)
            more = [file.constant(f"{node.name}/constant", constant)]
        file.write(node, kind, *more, **settings)

    return write


def _pool(kind):
    def write(file, node, function):
        height, width = node.settings["size"]
        settings = {"filterHeight": int(height), "filterWidth": int(width), **_window(file, node)}
        settings |= _fusing(file, function)
        file.write(node, kind, options="Pool2DOptions", **settings)

    return write


def _pad(file, node, function):
    padding = np.int32([(0, 0), *node.settings["padding"], (0, 0)])
    file.write(node, "PAD", file.constant(f"{node.name}/padding", padding), options="PadOptions")


def _slice(file, node, function):
    begin = np.zeros(len(node.shape) + 1, np.int32)
    begin[node.settings["axis"]] = node.settings["start"]
    size = np.int32([file.batch, *node.shape])
    places = file.constant(f"{node.name}/begin", begin), file.constant(f"{node.name}/size", size)
    file.write(node, "SLICE", *places)


def _nearest(file, node, function):
    if not node.settings.get("repeat"):
        size = file.constant(f"{node.name}/size", np.int32(node.shape[:2]))
        options = "ResizeNearestNeighborOptions"
        return file.write(node, "RESIZE_NEAREST_NEIGHBOR", size, options=options)
    (source,) = node.inputs
    height, width, channels = source.shape
    rows, columns = node.shape[0] // height, node.shape[1] // width
    x = _repeated(file, file.tensors[source], node, (height, width, channels), columns)
    x = _reshaped(file, x, node, (height, columns * width * channels))
    x = _repeated(file, x, node, (height, columns * width * channels), rows)
    file.tensors[node] = _reshaped(file, x, node, node.shape)
    return None


def _repeated(file, x, node, shape, times):
    """The last axis so many times, as `compute` repeats it."""
    total = times
    while total > 1:
        count = 4 if total > 4 and total % 4 == 0 else total
        shape, total = (*shape[:-1], count * shape[-1]), total // count
        axis = {"axis": len(shape), **_fusing(file, None)}
        x = file.operation(
            "CONCATENATION",
            [x] * count,
            f"{node.name}/concat",
            (file.batch, *shape),
            options="ConcatenationOptions",
            **axis,
        )
    return x


def _reshaped(file, x, node, shape):
    places = file.constant(f"{node.name}/shape", np.int32([-1, *shape]))
    return file.operation("RESHAPE", [x, places], f"{node.name}/reshape", (file.batch, *shape))


def _reshape(file, node, function):
    file.tensors[node] = _reshaped(file, file.tensors[node.inputs[0]], node, node.shape)


def _concat(file, node, function):
    settings = {"axis": node.settings["axis"], **_fusing(file, None)}
    file.write(node, "CONCATENATION", options="ConcatenationOptions", **settings)


def _resize(corners):
    def write(file, node, function):
        size = file.constant(f"{node.name}/size", np.int32(node.shape[:2]))
        settings = {"alignCorners": corners, "halfPixelCenters": not corners}
        settings |= {"options": "ResizeBilinearOptions", "version": 1 if corners else 3}
        file.write(node, "RESIZE_BILINEAR", size, **settings)

    return write


def _mean(file, node, function):
    axes = file.constant(f"{node.name}/axes", np.int32([1, 2]))
    keep = bool(node.settings["keepdims"])
    file.write(node, "MEAN", axes, options="ReducerOptions", keepDims=keep)


def _softmax(file, node, function):
    file.write(node, "SOFTMAX", options="SoftmaxOptions", beta=1.0)


WRITERS: dict[str, Callable[[_File, Node, str | None], None]] = {
    "conv": _conv,
    "depthwise": _conv,
    "dense": _dense,
    "activation": lambda file, node, _: file.write(node, ACTIVATIONS[node.settings["function"]]),
    "add": _binary("ADD", "AddOptions"),
    "subtract": _binary("SUB", "SubOptions"),
    "multiply": _binary("MUL", "MulOptions"),
    "average_pool": _pool("AVERAGE_POOL_2D"),
    "max_pool": _pool("MAX_POOL_2D"),
    "pad": _pad,
    "slice": _slice,
    "nearest": _nearest,
    "reshape": _reshape,
    "concat": _concat,
    "corners": _resize(True),
    "resize": _resize(False),
    "mean": _mean,
    "softmax": _softmax,
}
