"""Reads the networks that TensorFlow.js packages ship; `peers.py` needs it."""

import base64
import json

import numpy as np
import tensorflow as tf
from google.protobuf import json_format

from hrnet_tf.convert.formats.emit import quietly


def tfjs_to_tflite(path):
    """A TensorFlow.js graph model as the bytes of a float32 `.tflite` file."""
    content = json.loads(path.read_text())
    weights = {k: v for group in content["weightsManifest"] for k, v in stored(path, group)}
    graph = tf.compat.v1.GraphDef()
    for node in content["modelTopology"]["node"]:
        if node["op"] == "Const":
            graph.node.add(name=node["name"], op="Const").CopyFrom(constant(node["name"], weights))
        else:
            graph.node.extend(json_format.ParseDict(n, tf.compat.v1.NodeDef()) for n in plain(node))
    signature = content["signature"]
    inputs, outputs = (
        [tensor["name"].split(":")[0] + ":0" for tensor in signature[side].values()]
        for side in ("inputs", "outputs")
    )
    function = tf.compat.v1.wrap_function(
        lambda: tf.graph_util.import_graph_def(graph, name=""), []
    )
    function = function.prune(inputs, outputs)
    for tensor in function.inputs:
        tensor.set_shape([1, *tensor.shape[1:]])
    return quietly(tf.lite.TFLiteConverter.from_concrete_functions([function], function))


def stored(path, group):
    """Names and arrays of a group of weights; 16 and 8-bit numbers become what they stand for."""
    content, at = b"".join((path.parent / name).read_bytes() for name in group["paths"]), 0
    for entry in group["weights"]:
        form = entry.get("quantization", entry)
        count = int(np.prod(entry["shape"]))
        values = np.frombuffer(content, form["dtype"], count, at)
        at += values.nbytes
        if "scale" in form:
            values = values * form["scale"] + form["min"]
        yield entry["name"], values.astype(entry["dtype"]).reshape(entry["shape"])


def constant(name, weights):
    """The node of an array."""
    node = tf.compat.v1.NodeDef(name=name, op="Const")
    node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(weights[name]))
    node.attr["dtype"].type = node.attr["value"].tensor.dtype
    return node


def plain(node):
    """The node, or TensorFlow's own nodes for a convolution fused with bias and activation."""
    kinds = {"_FusedConv2D": "Conv2D", "FusedDepthwiseConv2dNative": "DepthwiseConv2dNative"}
    if node["op"] not in kinds:
        return [node]
    attributes = dict(node["attr"])
    fused = [base64.b64decode(op).decode() for op in attributes["fused_ops"]["list"]["s"]]
    kept = ("strides", "padding", "data_format", "dilations", "explicit_paddings", "T")
    attributes = {key: attributes[key] for key in kept if key in attributes}
    image, kernel, *others = node["input"]
    nodes = [{"op": kinds[node["op"]], "input": [image, kernel], "attr": attributes}]
    for op in fused:
        more = [others.pop(0)] if op in ("BiasAdd", "Prelu") else []
        nodes.append({"op": op, "input": more, "attr": {"T": attributes["T"]}})
    for place, made in enumerate(nodes):
        last = place == len(nodes) - 1
        made["name"] = node["name"] if last else f"{node['name']}/{place}"
        if place:
            made["input"] = [nodes[place - 1]["name"], *made["input"]]
    return nodes
