"""ncnn's `.bin` files: the numbers of a graph's convolutions one after the other, without shapes.

The shapes stand in a `.param` file beside it. Here they come from the network that is to be loaded.
Format: ncnn, `src/modelbin.cpp`.
"""

from collections.abc import Sequence

import keras
import numpy as np

HALF = (0x01306B47).to_bytes(4, "little")  # stands in front of a kernel of float16 numbers


def is_ncnn(data: bytes) -> bool:
    """Whether a file begins with a kernel of float16 numbers."""
    return data[:4] == HALF


def read_ncnn(data: bytes, convolutions: Sequence[keras.layers.Layer]) -> dict[str, np.ndarray]:
    """The kernels and biases of folded convolutions, as `weights/folded.py` takes them.

    Args:
        data: content of the `.bin` file. Its only layers with weights are convolutions with a bias;
            kernels are float16, biases float32.
        convolutions: those of the network, in the order of the file.

    Returns:
        `Conv_k/weight` (out, in, h, w) and `Conv_k/bias` (out,).

    Raises:
        ValueError: the file is shorter or longer than these convolutions, or a kernel does not
            begin where it should.
    """
    arrays, start = {}, 0
    for k, layer in enumerate(convolutions):
        shape = _shape(layer)
        if data[start : start + 4] != HALF:
            raise ValueError(
                f"is not an ncnn file of this network: the kernel of {layer.name}, convolution {k} "
                f"of {len(convolutions)}, does not begin at byte {start} of {len(data)}."
            )
        kernel, start = _numbers(data, start + 4, shape, "<f2", layer)
        start = -(-start // 4) * 4  # the next block of four bytes
        bias, start = _numbers(data, start, shape[:1], "<f4", layer)
        arrays |= {f"Conv_{k}/weight": kernel, f"Conv_{k}/bias": bias}
    if start != len(data):
        raise ValueError(
            f"is not an ncnn file of this network: its convolutions end at byte {start} of "
            f"{len(data)}."
        )
    return arrays


def _shape(layer):
    """(out, in, h, w) of a convolution's kernel; a depthwise one has one channel in."""
    height, width, channels, filters = layer.kernel.shape
    if isinstance(layer, keras.layers.DepthwiseConv2D):
        return (channels * filters, 1, height, width)
    if isinstance(layer, keras.layers.Conv2DTranspose):
        channels, filters = filters, channels
    return (filters, channels, height, width)


def _numbers(data, start, shape, dtype, layer):
    end = start + np.dtype(dtype).itemsize * int(np.prod(shape))
    if end > len(data):
        raise ValueError(
            f"is not an ncnn file of this network, or cut: {layer.name} needs the bytes {start} "
            f"to {end}, the file has {len(data)}."
        )
    return np.frombuffer(data[start:end], dtype).reshape(shape), end
