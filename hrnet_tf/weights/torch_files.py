"""PyTorch files without PyTorch, and without running anything that a file holds.

`torch.save` writes a pickle whose tensors point into raw storages: since torch 1.6 as records of
an uncompressed zip, before that as a row of pickles followed by the storages
(`torch/serialization.py`). A pickle may name any function and call it; here every name outside a
short list becomes an inert placeholder.
"""

import functools
import io
import mmap
import pickle
import pickletools
import struct
import zipfile
import zlib
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np

from hrnet_tf.files import EXPANSION

MAGIC = 0x1950A86A20F9469CFC6C
PROTOCOL = 1001

STORAGES = {
    "DoubleStorage": "f8",
    "FloatStorage": "f4",
    "HalfStorage": "f2",
    "BFloat16Storage": "bfloat16",
    "LongStorage": "i8",
    "IntStorage": "i4",
    "ShortStorage": "i2",
    "CharStorage": "i1",
    "ByteStorage": "u1",
    "BoolStorage": "?",
}

# Keys of the weights in training checkpoints, best weights first: timm's averaged weights, the copy
# without prefix in the original pose repository, then the usual `state_dict`. OpenMMLab saves
# averaged weights as `state_dict`, and the raw ones as `ema_state_dict`.
NESTS = (
    "state_dict_ema",
    "model_ema",
    "best_state_dict",
    "state_dict",
    "ema_state_dict",
    "model",
    "module",
)

AGAIN = "Download or copy it again."


class UnreadableError(ValueError):
    """A file cannot be read; the text completes the sentence "the file ..."."""


class Storage(NamedTuple):
    """A run of numbers in a file; a view in an old file starts `start` numbers into it."""

    kind: str
    key: str
    start: int = 0


class Tensor(NamedTuple):
    """A tensor before its numbers are read; offset and strides count numbers, not bytes."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...] | None  # None: contiguous


class Inert:
    """Stands for an object of an unknown class; nothing that a pickle does to it has an effect."""

    origin = ""

    def __new__(cls, *args, **kwargs):
        return super().__new__(cls)

    def __init__(self, *args, **kwargs):
        pass

    def __call__(self, *args, **kwargs):
        return self

    __setstate__ = __setitem__ = append = extend = add = __call__


class _Unpickler(pickle.Unpickler):
    """Notes in `kinds` the number format of every storage that the pickle names."""

    def __init__(self, payload, kinds):
        super().__init__(io.BytesIO(payload), encoding="latin-1")
        self.kinds = kinds

    def find_class(self, module, name):
        # BUILD sets attributes of the result: return what is immutable or made for this file alone.
        match module, name:
            case "collections", "OrderedDict":
                return OrderedDict
            case "torch._utils", "_rebuild_tensor" | "_rebuild_tensor_v2":
                return lambda storage, offset, shape, strides, *_: Tensor(
                    storage, offset, shape, strides
                )
            case "torch._utils", "_rebuild_parameter" | "_rebuild_parameter_with_state":
                return lambda tensor, *_: tensor
            case "torch" | "torch.cuda", _ if name in STORAGES:
                return STORAGES[name]
        return type("Placeholder", (Inert,), {"origin": f"{module}.{name}"})

    def persistent_load(self, pid):
        if pid[0] != "storage":
            return pid[1]  # the class of a pickled module; old files store it with its source
        _, kind, key, _, _, *view = pid
        self.kinds[key] = kind
        return Storage(kind, key, view[0][1] if view and view[0] else 0)


def unpickle(stream, kinds: dict[str, str]) -> object:
    """The next pickle of a seekable binary stream, with placeholders for all unknown objects.

    A damaged pickle raises an exception of any type.
    """
    start = stream.tell()
    for opcode, argument, position in pickletools.genops(stream):
        # `genops` itself refuses lengths beyond the end of the file. EXT opcodes could bypass
        # `find_class`, and PUT allocates as many memos as its argument says.
        if opcode.name.startswith("EXT"):
            raise UnreadableError("holds a pickle with extension codes. Nothing in it was run.")
        if opcode.name.endswith("PUT") and argument > position:
            raise UnreadableError(f"is damaged: its pickle has no memo {argument}. {AGAIN}")
    end = stream.tell()
    stream.seek(start)
    return _Unpickler(stream.read(end - start), kinds).load()


def state_dict(root: object) -> dict[str, Tensor]:
    """The weights in an unpickled object: a bare state_dict, or one nested in a checkpoint."""
    for _ in range(3):  # a dictionary may hold itself
        if isinstance(root, dict):
            nests = (root[key] for key in NESTS if isinstance(root.get(key), dict | Inert))
            root = next(nests, root)
    if isinstance(root, Inert):
        raise UnreadableError(
            f"holds a pickled Python object ({root.origin}), not weights. Save its "
            "`model.state_dict()` where its code can be imported."
        )
    if not isinstance(root, dict):
        raise UnreadableError(f"holds a {type(root).__name__}, not a state_dict.")
    tensors = {str(key): value for key, value in root.items() if isinstance(value, Tensor | Inert)}
    for name, value in tensors.items():
        if isinstance(value, Inert):
            raise UnreadableError(
                f"has an object ({value.origin}) in the place of tensor `{name}`."
            )
    if not tensors:
        raise UnreadableError(
            f"holds no tensors, only {', '.join(map(str, list(root)[:5])) or 'nothing'}."
        )
    return tensors


def read_tensors(
    tensors: Mapping[str, Tensor],
    storage: Callable[[Storage], memoryview],
    limit: int,
    byte_order: str = "<",
) -> dict[str, np.ndarray]:
    """Copy tensors out of their storages, in the machine's byte order; bfloat16 becomes float32.

    Args:
        tensors: what to read.
        storage: gives the bytes of a storage.
        limit: how many bytes may be read in all.
        byte_order: of the file, `<` or `>`.
    """
    arrays = {}
    for name, (source, offset, shape, strides) in tensors.items():
        if source.kind not in STORAGES.values():
            raise UnreadableError(
                f"holds tensor `{name}` in a number format that is not supported."
            )
        dtype = np.dtype("u2" if source.kind == "bfloat16" else source.kind)
        numbers = storage(source)
        try:  # numpy checks that nothing reaches outside the buffer
            view = np.ndarray(
                shape,
                dtype.newbyteorder(byte_order),
                numbers,
                (source.start + offset) * dtype.itemsize,
                strides and [step * dtype.itemsize for step in strides],
            )
        except (ValueError, TypeError, OverflowError) as error:
            raise UnreadableError(
                f"is damaged: tensor `{name}` lies outside its data. {AGAIN}"
            ) from error
        limit -= view.nbytes
        if limit < 0:
            raise UnreadableError("claims tensors of many times its own size.")
        arrays[name] = np.array(view, dtype, order="C")
        if source.kind == "bfloat16":
            arrays[name] = (arrays[name].astype("u4") << 16).view("f4")
    return arrays


def read_torch_zip(
    data: mmap.mmap, records: Mapping[str, zipfile.ZipInfo]
) -> dict[str, np.ndarray]:
    """The state_dict of a file in the zip format; `records` is its table of contents."""

    @functools.cache
    def record(name):
        if name not in records:
            raise UnreadableError(f"lacks its record {name}. {AGAIN}")
        info = records[name]
        name_length, extra_length = struct.unpack_from("<HH", data, info.header_offset + 26)
        start = info.header_offset + 30 + name_length + extra_length
        if info.compress_type != zipfile.ZIP_STORED or start + info.file_size > len(data):
            raise UnreadableError("is cut or was packed anew. Use the file as torch.save wrote it.")
        content = memoryview(data)[start : start + info.file_size]
        if zlib.crc32(content) != info.CRC:
            raise UnreadableError(f"is damaged: the check sum of {name} differs. {AGAIN}")
        return content

    (root,) = {name.removesuffix("data.pkl") for name in records if name.endswith("/data.pkl")}
    big = f"{root}byteorder" in records and bytes(record(f"{root}byteorder")) == b"big"
    tensors = state_dict(unpickle(io.BytesIO(record(f"{root}data.pkl")), {}))
    return read_tensors(
        tensors,
        lambda storage: record(f"{root}data/{storage.key}"),
        EXPANSION * len(data),  # shared storages may unfold
        ">" if big else "<",
    )


def read_legacy(data: mmap.mmap) -> dict[str, np.ndarray]:
    """The state_dict of a file from before torch 1.6."""
    data.seek(0)
    kinds = {}
    if unpickle(data, kinds) != MAGIC or unpickle(data, kinds) != PROTOCOL:
        raise UnreadableError(
            "is a pickle, but not one that torch.save wrote. Nothing in it was run."
        )
    unpickle(data, kinds)  # describes the machine; the numbers are little-endian on all
    tensors = state_dict(unpickle(data, kinds))
    keys = unpickle(data, kinds)
    storages, position = {}, data.tell()
    for key in keys:
        if kinds.get(key) not in STORAGES.values():
            raise UnreadableError("holds a storage in a number format that is not supported.")
        size = 2 if kinds[key] == "bfloat16" else np.dtype(kinds[key]).itemsize
        begin = position + 8
        position = begin + size * int.from_bytes(data[position:begin], "little")
        if position > len(data):
            raise UnreadableError(f"is cut: its numbers should go on. {AGAIN}")
        storages[key] = memoryview(data)[begin:position]
    return read_tensors(tensors, lambda storage: storages[storage.key], EXPANSION * len(data))
