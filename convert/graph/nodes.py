"""A network as a list of plain nodes: what is rewritten before a converter sees it.

Keras 3 objects do not let themselves be rewired. A `Node` names its kind, its inputs and its NumPy
weights; `read_graph` makes them of a Keras model, `fold_norms` removes batch normalization, and
`hrnet_tf.convert.graph.compute` computes the result with plain TensorFlow.
"""

from __future__ import annotations

import dataclasses
from collections import defaultdict

import keras
import numpy as np

EQUAL = ("Dropout", "SpatialDropout2D", "Identity", "InputLayer")
ACTIVATIONS = ("linear", "relu", "relu6", "sigmoid", "softmax", "hard_silu")  # of `compute`


@dataclasses.dataclass(eq=False)
class Node:
    """One operation.

    Attributes:
        kind: key of `compute.PLAIN` or `compute.WEIGHTED`.
        name: of the Keras layer or operation it comes from.
        inputs: the nodes whose results it takes.
        shape: of its result, without the batch.
        settings: what else it must know.
        weights: "kernel" in Keras' layout and "bias", float32; "scale" and "offset" of a norm.
    """

    kind: str
    name: str
    inputs: list[Node]
    shape: tuple[int, ...]
    settings: dict = dataclasses.field(default_factory=dict)
    weights: dict[str, np.ndarray] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass
class Graph:
    """Nodes in an order in which they can be computed; `outputs` by name, or one alone.

    Attributes:
        name: of the network.
        nodes: the first is the image.
        outputs: what the network returns.
    """

    name: str
    nodes: list[Node]
    outputs: Node | dict[str, Node]

    @property
    def results(self) -> list[Node]:
        """The outputs as a list."""
        return [*self.outputs.values()] if isinstance(self.outputs, dict) else [self.outputs]

    def readers(self) -> dict[Node, list[Node]]:
        """For each node those that take its result; an output counts as one more reader."""
        readers = defaultdict(list)
        for node in self.nodes:
            for source in node.inputs:
                readers[source].append(node)
        for node in self.results:
            readers[node].append(node)
        return readers

    def replace(self, old: Node, new: Node) -> None:
        """Lets all readers of `old` take `new`."""
        for node in self.nodes:
            node.inputs = [new if source is old else source for source in node.inputs]
        if isinstance(self.outputs, dict):
            self.outputs = {k: new if v is old else v for k, v in self.outputs.items()}
        elif self.outputs is old:
            self.outputs = new

    def prune(self) -> None:
        """Drops what no output needs, and puts the rest in order."""
        ordered, seen, stack = [], set(), [(node, False) for node in reversed(self.results)]
        while stack:
            node, ready = stack.pop()
            if ready:
                ordered.append(node)
            elif node not in seen:
                seen.add(node)
                stack.append((node, True))
                stack += [(source, False) for source in reversed(node.inputs)]
        self.nodes = ordered


def read_graph(model: keras.Model) -> Graph:
    """The graph of a Keras 3 model of fixed size, float32 whatever its precision.

    Of several outputs the one called "logits" stays alone, as in prediction.

    Args:
        model: functional, of built-in layers.

    Raises:
        ValueError: an open size, a model that is not functional, a layer or operation that cannot
            be converted, weights that are not finite.
    """
    if not isinstance(model, keras.Model) or not hasattr(model, "_run_through_graph"):
        raise ValueError(
            f"`model` must be a functional Keras model. Received: {type(model).__name__}. Build it "
            "as keras.Model(inputs, outputs)."
        )
    if len(model.inputs) != 1 or len(model.input_shape) != 4:
        raise ValueError(
            "`model` must take one image (B, H, W, C). "
            f"Received: {[tuple(x.shape) for x in model.inputs]}."
        )
    shape = tuple(model.input_shape[1:])
    if None in shape:
        raise ValueError(
            f"`model` must fix the size of its image. Received: input_shape={shape}. Build it with "
            "a height and a width."
        )
    image = Node("image", "image", [], shape)

    def reader(operation):
        return lambda *inputs, **_: _read(operation, *inputs)

    # Keras 3's own `clone_model` walks a graph by this method; tests/test_compute.py guards it.
    outputs = model._run_through_graph([image], operation_fn=reader)
    if isinstance(outputs, dict) and "logits" in outputs:
        outputs = outputs["logits"]
    if isinstance(outputs, list | tuple):
        outputs = {f"output{i}": node for i, node in enumerate(outputs)}
    graph = Graph(model.name, [], outputs)
    graph.prune()  # finds the nodes from the outputs
    return graph


def _read(operation, *inputs):
    """The node, or nodes, that do what a Keras 3 layer or operation does."""
    kind = type(operation).__name__
    layer = isinstance(operation, keras.layers.Layer)
    if layer and kind in EQUAL:
        return inputs[0]
    table = LAYERS if layer else OPERATIONS
    known = kind in table and type(operation).__module__.startswith("keras.")
    sources = [each for each in keras.tree.flatten(inputs) if isinstance(each, Node)]
    if unusual := _unusual(kind, operation, sources) if known else kind:
        raise ValueError(
            f"{operation.name}: a {unusual} cannot be converted. Build the network from the layers "
            "that hrnet_tf uses, or leave this part out of the file."
        )
    if kind == "Split":
        return _split(operation, *inputs)
    kind, settings = table[kind](operation, *inputs)
    node = Node(kind, operation.name, sources, tuple(operation.output.shape[1:]), settings)
    if layer and operation.weights:
        node.weights = _weights(operation)
    if kind in ("conv", "depthwise", "dense") and operation.activation.__name__ != "linear":
        # The activation is a node of its own, as everywhere in this family.
        settings = {"function": operation.activation.__name__}
        return Node("activation", f"{node.name}.activation", [node], node.shape, settings)
    return node


def _unusual(kind, operation, sources):
    """What a known layer does that `compute` does not, in words."""
    activation = getattr(getattr(operation, "activation", None), "__name__", "linear")
    if activation not in ACTIVATIONS:
        return f"{kind} with the activation {activation}"
    if kind == "ReLU" and (operation.max_value or operation.negative_slope or operation.threshold):
        return "ReLU with a slope, threshold or maximum"
    if kind == "DepthwiseConv2D" and tuple(operation.dilation_rate) != (1, 1):
        return "DepthwiseConv2D with dilation"
    if kind in ("Add", "Multiply") and len(sources) > 2:
        return f"{kind} of {len(sources)} tensors"
    return ""


def _conv(layer, *_):
    return "conv", {
        "strides": tuple(layer.strides),
        "padding": layer.padding,
        "dilation": tuple(layer.dilation_rate),
        "groups": layer.groups,
    }


def _depthwise(layer, *_):
    return "depthwise", {"strides": tuple(layer.strides), "padding": layer.padding}


def _activation(layer, *_):
    return "activation", {"function": layer.activation.__name__}


def _upsampling(layer, *_):
    if layer.interpolation == "nearest":
        return "nearest", {}
    return "resize", {"method": layer.interpolation}


def _pool(layer, *_):
    return "average_pool", {
        "size": tuple(layer.pool_size),
        "strides": tuple(layer.strides),
        "padding": layer.padding,
    }


LAYERS = {
    "Conv2D": _conv,
    "DepthwiseConv2D": _depthwise,
    "Dense": lambda *_: ("dense", {}),
    "BatchNormalization": lambda *_: ("norm", {}),
    "Activation": _activation,
    "ReLU": lambda *_: ("activation", {"function": "relu"}),
    "Softmax": lambda layer, *_: ("softmax", {"axis": layer.axis}),
    "Add": lambda *_: ("add", {}),
    "Multiply": lambda *_: ("multiply", {}),
    "Concatenate": lambda layer, *_: ("concat", {"axis": layer.axis}),
    "ZeroPadding2D": lambda layer, *_: ("pad", {"padding": layer.padding}),
    "UpSampling2D": _upsampling,
    "AveragePooling2D": _pool,
    "GlobalAveragePooling2D": lambda layer, *_: ("mean", {"keepdims": layer.keepdims}),
    "Reshape": lambda *_: ("reshape", {}),
    "Permute": lambda layer, *_: ("permute", {"axes": tuple(layer.dims)}),
    "Flatten": lambda *_: ("reshape", {}),
}


def _arithmetic(kind):
    def read(operation, first, second):
        constant = None if isinstance(second, Node) else np.asarray(second, np.float32)
        return kind, {} if constant is None else {"constant": constant}

    return read


def _split(operation, source):
    """One slice for each part."""
    parts, axis = operation.indices_or_sections, operation.axis % (len(source.shape) + 1)
    length = source.shape[axis - 1]
    starts = range(0, length, length // parts) if isinstance(parts, int) else (0, *parts)
    ends = [*starts[1:], length]
    pieces = []
    for number, (start, end) in enumerate(zip(starts, ends, strict=True)):
        shape = (*source.shape[: axis - 1], end - start, *source.shape[axis:])
        settings = {"axis": axis, "start": start}
        pieces.append(Node("slice", f"{operation.name}.{number}", [source], shape, settings))
    return pieces


OPERATIONS = {
    "Add": _arithmetic("add"),
    "Subtract": _arithmetic("subtract"),
    "Multiply": _arithmetic("multiply"),
    "Split": _split,
    "Resize": lambda op, *_: ("resize", {"method": op.interpolation}),
    "Take": lambda op, _, indices: ("take", {"axis": op.axis, "indices": np.asarray(indices)}),
    "Einsum": lambda op, *_: ("einsum", {"subscripts": op.subscripts}),
    "ExpandDims": lambda op, *_: ("expand", {"axis": op.axis}),
    "Softmax": lambda op, *_: ("softmax", {"axis": op.axis}),
}


def _weights(layer) -> dict[str, np.ndarray]:
    values = {w.name: np.asarray(w, np.float32) for w in layer.weights}
    if not all(np.isfinite(value).all() for value in values.values()):
        raise ValueError(
            f"The weights of {layer.name} are not finite. Load the checkpoint again, or go back to "
            "one from before the training broke."
        )
    if "moving_variance" not in values:
        return values
    gamma, beta = values.get("gamma", 1.0), values.get("beta", 0.0)
    scale = gamma / np.sqrt(values["moving_variance"] + np.float32(layer.epsilon))
    return {"scale": scale, "offset": beta - values["moving_mean"] * scale}


def fold_norms(graph: Graph) -> Graph:
    """Multiplies each normalization into the convolution before it; returns the same graph.

    One that follows no convolution, or one with other readers, becomes a depthwise one itself.
    """
    readers = graph.readers()
    for norm in graph.nodes:
        if norm.kind != "norm":
            continue
        (source,) = norm.inputs
        scale, offset = norm.weights["scale"], norm.weights["offset"]
        if source.kind not in ("conv", "depthwise", "dense") or len(readers[source]) > 1:
            if len(norm.shape) == 3:
                norm.kind, norm.settings = "depthwise", {"strides": (1, 1), "padding": "valid"}
                norm.weights = {"kernel": scale[None, None, :, None], "bias": offset}
            continue
        kernel, bias = source.weights["kernel"], source.weights.get("bias", np.float32(0))
        by_channel = scale[:, None] if source.kind == "depthwise" else scale
        source.weights = {"kernel": kernel * by_channel, "bias": bias * scale + offset}
        source.settings["norm"] = norm.name
        graph.replace(norm, source)
    graph.prune()
    return graph


def merge_resizes(graph: Graph) -> Graph:
    """Makes one "corners" node of what `blocks.align_corners` consists of; returns the same graph.

    Two gathers and a blend per axis are exactly TFLite's RESIZE_BILINEAR with align_corners.
    """
    readers = graph.readers()
    for node in [*graph.nodes]:
        rows = _blended(node, 1, readers)
        columns = rows and _blended(rows, 2, readers)
        if columns:
            corners = Node("corners", columns.name, [node], columns.shape)
            graph.nodes.append(corners)
            graph.replace(columns, corners)
    graph.prune()
    return graph


def _blended(node: Node, axis: int, readers) -> Node | None:
    """The sum at the end of one axis of an align-corners upsampling of `node`."""
    takes = [r for r in readers[node] if r.kind == "take" and r.settings["axis"] == axis]
    for low in takes:
        for difference in [r for r in readers[low] if r.kind == "subtract"]:
            high, length = difference.inputs[0], node.shape[axis - 1]
            (product,) = readers[difference]
            (total,) = readers[product]
            new = total.shape[axis - 1]
            position = np.arange(new) * ((length - 1) / max(new - 1, 1))
            weight = np.ravel(product.settings.get("constant", ()))
            if (
                total.kind == "add"
                and total.inputs[0] is low
                and high in takes
                and weight.shape == position.shape
                and np.allclose(low.settings["indices"] + weight, position, atol=1e-4)
            ):
                return total
    return None
