"""Pictures of the wild that Pillow cannot write: PNG and TIFF of 16-bit colours."""

import struct
import zlib

import numpy as np

KINDS = {1: 0, 2: 4, 3: 2, 4: 6}  # channels -> colour type of PNG


def deep_png(pixels: np.ndarray) -> bytes:
    """A PNG of 16 bits from (H, W, C) uint16: grey, grey and alpha, RGB or RGBA."""
    height, width, channels = pixels.shape
    header = struct.pack(">IIBBBBB", width, height, 16, KINDS[channels], 0, 0, 0)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in chunks
    )


def deep_tiff(pixels: np.ndarray, order: str = "<") -> bytes:
    """An uncompressed TIFF of 16 bits from (H, W, 3) RGB uint16, with either order of bytes."""
    height, width, _ = pixels.shape
    start = 8 + 2 + 9 * 12 + 4
    tags = [(256, width), (257, height), (258, start), (259, 1), (262, 2), (273, start + 6)]
    tags += [(277, 3), (278, height), (279, pixels.size * 2)]
    entry = struct.Struct(order + "HHII")
    entries = [
        struct.pack(order + "HHII", tag, 3, 3, value)
        if tag == 258
        else struct.pack(order + "HHIHH", tag, 3, 1, value, 0)
        if value < 2**16
        else entry.pack(tag, 4, 1, value)
        for tag, value in tags
    ]
    head = (b"II" if order == "<" else b"MM") + struct.pack(order + "HIH", 42, 8, len(tags))
    bits = struct.pack(order + "HHH", 16, 16, 16)
    return head + b"".join(entries) + bytes(4) + bits + pixels.astype(order + "u2").tobytes()
