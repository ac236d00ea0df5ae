"""`.onnx` files written from the plain nodes, with the channels first as ONNX has them.

tf2onnx traces the graph and then looks for patterns among its thousands of operations, which takes
it eighteen seconds of CPU time for HRNet-W32; this module takes one. Networks with nodes of other
kinds than those below need tf2onnx.
"""

from collections.abc import Callable

import numpy as np

from hrnet_tf.convert.graph.nodes import Graph, Node

ACTIVATIONS = {"relu": "Relu", "sigmoid": "Sigmoid", "tanh": "Tanh"}
IR = 8  # version of the format that tf2onnx writes for opsets 13 to 18
FIRST, LAST = (0, 3, 1, 2), (0, 2, 3, 1)  # orders of the axes of images


def direct(graph: Graph, opset: int = 17, batch: int | None = None, nchw: bool = False):
    """A graph as an `onnx.ModelProto`, or None if a node is of a kind that is not known here.

    Args:
        graph: after `fold_norms` and `merge_resizes`.
        opset: version of ONNX's operations, 13 to 18.
        batch: examples per call; None for any number.
        nchw: channels come first in inputs and outputs of four axes.
    """
    if not graph.consists_of(_known):
        return None
    return _File(graph, batch, nchw).model(opset)


def _known(node):
    settings, image = node.settings, len(node.shape) == 3
    images = image and all(len(each.shape) == 3 for each in node.inputs)
    constant = np.shape(settings.get("constant", ()))
    checks = {
        "input": True,
        "dense": len(node.shape) == 1 and all(len(each.shape) == 1 for each in node.inputs),
        "activation": settings.get("function") in ACTIVATIONS,
        "mean": all(len(each.shape) == 3 for each in node.inputs),
        "resize": settings.get("method") == "bilinear" and images,
        "softmax": settings.get("axis") in (-1, len(node.shape)),
        "concat": settings.get("axis") in (-1, len(node.shape)),
    }
    binary = node.kind in BINARY and (images or not image) and len(constant) < 2
    return checks.get(node.kind, binary or (node.kind in WRITERS and images))


class _File:
    """A file that is being written.

    Attributes:
        names: the name of each node's result.
    """

    def __init__(self, graph, batch, nchw):
        import onnx

        self._onnx, self._graph, self._batch, self._nchw = onnx, graph, batch, nchw
        self._nodes, self._constants, self._used = [], {}, {*graph.inputs, *graph.outputs}
        self.names, self.readers = {}, graph.readers()

    def model(self, opset):
        """The `onnx.ModelProto`."""
        graph, helper = self._graph, self._onnx.helper
        inputs = [self._input(node) for node in graph.inputs.values()]
        for node in graph.nodes:
            if node.kind != "input":
                WRITERS[node.kind](self, node)
        outputs = [self._output(name, node) for name, node in sorted(graph.outputs.items())]
        constants = [*self._constants.values()]
        found = helper.make_graph(self._nodes, graph.name, inputs, outputs, constants)
        opsets = [helper.make_opsetid("", opset)]
        return helper.make_model(
            found, opset_imports=opsets, ir_version=IR, producer_name="hrnet_tf"
        )

    def _end(self, name, node):
        """An input or output; its images have the channels first or last."""
        shape = node.shape
        if self._nchw and len(shape) == 3:
            shape = (shape[2], *shape[:2])
        kind = self._onnx.TensorProto.FLOAT
        sizes = [self._batch or "batch", *shape]
        return self._onnx.helper.make_tensor_value_info(name, kind, sizes)

    def _input(self, node):
        self.names[node] = node.name
        if len(node.shape) == 3 and not self._nchw:
            self.names[node] = self.add("Transpose", [node.name], node.name, perm=FIRST)
        return self._end(node.name, node)

    def _output(self, name, node):
        turned = len(node.shape) == 3 and not self._nchw
        kind, values = ("Transpose", {"perm": LAST}) if turned else ("Identity", {})
        made = self._onnx.helper.make_node(kind, [self.names[node]], [name], name=name, **values)
        if not turned and self.readers[node] == [node]:  # nobody else reads it
            own = next(each for each in self._nodes if self.names[node] in each.output)
            own.output[:] = [name]
        else:
            self._nodes.append(made)
        return self._end(name, node)

    def add(self, kind, inputs, name, **values):
        """Appends an operation; returns the name of its result, which no other has."""
        result, number = f"{name}/{kind}", 0
        while result in self._used:
            number += 1
            result = f"{name}/{kind}_{number}"
        self._used.add(result)
        made = self._onnx.helper.make_node(kind, inputs, [result], name=result, **values)
        self._nodes.append(made)
        return result

    def write(self, node, kind, *more, **values):
        """`add` of a node's inputs, then `more`."""
        sources = [self.names[each] for each in node.inputs]
        self.names[node] = self.add(kind, [*sources, *more], node.name, **values)

    def constant(self, values):
        """The name of an initializer with these values; equal ones are one."""
        values = np.ascontiguousarray(values)
        key = values.shape, values.dtype.str, values.tobytes()
        if key not in self._constants:
            name = f"constant_{len(self._constants)}"
            self._constants[key] = self._onnx.numpy_helper.from_array(values, name)
        return self._constants[key].name


def _window(node, size, dilation=(1, 1)):
    """Size, strides and padding of a convolution or pooling."""
    strides, pads = node.settings["strides"], [(0, 0), (0, 0)]
    if node.settings["padding"].lower() == "same":
        (source,), pads = node.inputs, []
        for axis in range(2):
            reach = (size[axis] - 1) * dilation[axis] + 1
            total = (node.shape[axis] - 1) * strides[axis] + reach - source.shape[axis]
            pads.append((max(total, 0) // 2, max(total, 0) - max(total, 0) // 2))
    pads = [int(each[side]) for side in range(2) for each in pads]
    size, strides = ([int(x) for x in each] for each in (size, strides))
    return {"kernel_shape": size, "strides": strides, "pads": pads}


def _conv(file, node):
    kernel, settings = node.weights["kernel"], node.settings
    dilation = [int(each) for each in settings.get("dilation", (1, 1))]
    values = _window(node, kernel.shape[:2], dilation) | {"dilations": dilation}
    (source,) = node.inputs
    if node.kind == "depthwise":
        groups, kernel = source.channels, kernel.reshape(*kernel.shape[:2], 1, -1)
    else:
        groups = settings.get("groups", 1)
    if _folded(file, source):
        values["pads"] = [p[side] for side in range(2) for p in source.settings["padding"]]
    weights = [file.constant(kernel.transpose(3, 2, 0, 1))]
    weights += [file.constant(node.weights["bias"])] if "bias" in node.weights else []
    file.write(node, "Conv", *weights, group=int(groups), **values)


def _folded(file, node):
    """Whether a padding is part of all the convolutions that read it."""
    kinds = ("conv", "depthwise")
    readers = file.readers[node]
    valid = (each.kind in kinds and each.settings["padding"] == "valid" for each in readers)
    return node.kind == "pad" and all(valid)


def _pad(file, node):
    if _folded(file, node):
        file.names[node] = file.names[node.inputs[0]]
    else:
        pads = [(0, 0), (0, 0), *node.settings["padding"]]
        file.write(node, "Pad", file.constant(np.int64(pads).T.reshape(-1)))


def _dense(file, node):
    weights = [file.constant(node.weights["kernel"])]
    weights += [file.constant(node.weights["bias"])] if "bias" in node.weights else []
    file.write(node, "Gemm", *weights)


def _binary(kind):
    def write(file, node):
        inputs = [file.names[each] for each in node.inputs]
        if "constant" in node.settings:
            constant = np.asarray(node.settings["constant"], np.float32)
            if constant.ndim and len(node.shape) == 3:
                constant = constant[:, None, None]
            inputs.append(file.constant(constant))
        file.names[node] = file.add(kind, inputs, node.name)

    return write


def _pool(kind):
    return lambda file, node: file.write(node, kind, **_window(node, node.settings["size"]))


def _slice(file, node):
    axis, start = node.settings["axis"], node.settings["start"]
    places = [start], [start + node.shape[axis - 1]], [FIRST.index(axis)]
    file.write(node, "Slice", *(file.constant(np.int64(each)) for each in places))


def _resize(coordinates, mode, **values):
    def write(file, node):
        (source,) = node.inputs
        scales = [1, 1, *map(_scale, source.shape[:2], node.shape[:2])]
        scales = file.constant(np.float32(scales))
        settings = {"coordinate_transformation_mode": coordinates, "mode": mode, **values}
        file.write(node, "Resize", "", scales, **settings)

    return write


def _scale(old, new):
    """The float32 nearest to new / old whose product with `old`, rounded down, is `new`.

    Readers compute the new size so: of 7 rows times 13 / 7 some make 12.
    """
    scale = np.float32(new / old)
    while int(scale * np.float32(old)) < new or int(float(scale) * old) < new:
        scale = np.nextafter(scale, np.float32(np.inf))
    return scale


def _mean(file, node):
    file.write(node, "GlobalAveragePool")
    if not node.settings["keepdims"]:
        file.names[node] = file.add("Flatten", [file.names[node]], node.name)


BINARY = {"add": "Add", "subtract": "Sub", "multiply": "Mul"}
WRITERS: dict[str, Callable[[_File, Node], None]] = {
    **{kind: _binary(name) for kind, name in BINARY.items()},
    "conv": _conv,
    "depthwise": _conv,
    "dense": _dense,
    "activation": lambda file, node: file.write(node, ACTIVATIONS[node.settings["function"]]),
    "average_pool": _pool("AveragePool"),
    "max_pool": _pool("MaxPool"),
    "pad": _pad,
    "slice": _slice,
    "nearest": _resize("asymmetric", "nearest", nearest_mode="floor"),
    "concat": lambda file, node: file.write(node, "Concat", axis=1),
    "corners": _resize("align_corners", "linear"),
    "resize": _resize("half_pixel", "linear"),
    "mean": _mean,
    "softmax": lambda file, node: file.write(node, "Softmax", axis=1),
}
