"""Files with float16 kernels and float32 biases.

TensorFlow's converter rounds biases to 16 bits too. This saves no space, and where large biases
cancel each other it changes PP-TinyPose's heat maps by up to 2.7 standard deviations.
"""

import copy

import numpy as np


def half_kernels(content: bytes) -> bytes:
    """A float32 `.tflite` file with its kernels as float16, which are widened when it is loaded.

    Args:
        content: of the float32 file.

    Returns:
        The content of the new one. Biases and all else stay float32.
    """
    from tensorflow.lite.python import schema_py_generated as schema

    model = schema.ModelT.InitFromPackedBuf(content)
    graph, operators = model.subgraphs[0], schema.BuiltinOperator
    kinds = (operators.CONV_2D, operators.DEPTHWISE_CONV_2D, operators.FULLY_CONNECTED)
    widening = {}
    for operation in graph.operators:
        if model.operatorCodes[operation.opcodeIndex].builtinCode not in kinds:
            continue
        index = int(operation.inputs[1])
        kernel = graph.tensors[index]
        data = model.buffers[kernel.buffer].data
        if data is None or index in widening or kernel.type != schema.TensorType.FLOAT32:
            continue
        half = copy.copy(kernel)
        half.name, half.type = kernel.name + b".half", schema.TensorType.FLOAT16
        half.buffer = len(model.buffers)
        values = np.frombuffer(data.tobytes(), "<f4").astype("<f2")
        model.buffers.append(schema.BufferT(values.view(np.uint8)))
        kernel.buffer = 0  # the empty buffer, which all computed tensors have
        ends = {"inputs": [len(graph.tensors)], "outputs": [index]}
        widening[index] = schema.OperatorT(len(model.operatorCodes), **ends)
        graph.tensors.append(half)
    graph.operators = [*widening.values(), *graph.operators]
    code = schema.OperatorCodeT(operators.DEQUANTIZE, version=3, builtinCode=operators.DEQUANTIZE)
    model.operatorCodes.append(code)
    return packed(model)


def packed(model: object) -> bytes:
    """The content of a file with TensorFlow's `ModelT`; buffers that nobody reads are emptied."""
    import flatbuffers
    from tensorflow.lite.python import schema_py_generated as schema

    class Aligned(schema.BufferT):
        def Pack(self, builder):  # noqa: N802, as the library calls it
            if self.data is not None:
                builder.Prep(16, len(self.data))  # as the schema demands, and Python's Pack forgets
            return super().Pack(builder)

    tensors = [each for graph in model.subgraphs for each in graph.tensors]  # a loop's among them
    used = {each.buffer for each in (*tensors, *(model.metadata or ()))}
    model.buffers = [
        Aligned(each.data if number in used else None, each.offset, each.size)
        for number, each in enumerate(model.buffers)
    ]
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())
