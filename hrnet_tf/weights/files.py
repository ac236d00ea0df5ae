"""Files of weights as dictionaries of arrays: PyTorch, NumPy and safetensors."""

import mmap
import os
import zipfile

import ml_dtypes  # gives NumPy the bfloat16 that safetensors then reads
import numpy as np
from safetensors.numpy import load_file

from hrnet_tf.files import unfolds_too_far
from hrnet_tf.weights.ncnn import is_ncnn
from hrnet_tf.weights.torch_files import (
    AGAIN,
    UnreadableError,
    read_legacy,
    read_torch_zip,
)


def read_checkpoint(path: str | os.PathLike) -> dict[str, np.ndarray]:
    """Read the weights in a `.pth`, `.npz` or `.safetensors` file; its content decides which.

    PyTorch files since 0.1.10 are read without PyTorch and without running anything in them. From a
    training checkpoint come its averaged or best weights if it has them (`torch_files.NESTS`),
    never the state of the optimizer.

    Returns:
        Arrays in PyTorch's layout under the names in the file; bfloat16 becomes float32.

    Raises:
        ValueError: the file is damaged, or holds no weights.
        OSError: the file cannot be opened.
    """
    reason, cause = f"is empty. {AGAIN}", None
    with open(path, "rb") as file:
        if os.fstat(file.fileno()).st_size:
            data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            try:
                return _read(file, data)
            except UnreadableError as error:
                reason = str(error)
            except Exception as error:  # a damaged file makes readers raise many types
                reason = f"is damaged or cut ({type(error).__name__}: {error}). {AGAIN}"
                cause = error
    raise ValueError(
        f"`path` must be a file of weights. Received: path={os.fspath(path)!r}, which {reason}"
    ) from cause


def _read(file, data):
    length = int.from_bytes(data[:8], "little")
    if data[:2] == b"PK":
        return _read_zip(file, data)
    if data[:1] == b"\x80":
        return read_legacy(data)
    if data[8:9] == b"{" and length <= len(data) - 8:
        return _read_safetensors(file.name)
    if is_ncnn(data):
        raise UnreadableError(
            "is an ncnn file, which holds no names: load it into its network by `load_checkpoint`."
        )
    if data[257:262] == b"ustar":
        raise UnreadableError(
            "is a TAR of torch 0.1.9 or older. Load and save it again with torch 0.4."
        )
    raise UnreadableError(f"starts with {data[:16]}: a web page or another kind of file. {AGAIN}")


def _read_zip(file, data):
    with zipfile.ZipFile(file) as archive:
        records = {info.filename: info for info in archive.infolist()}
    if any(name.endswith("/data.pkl") for name in records):
        return read_torch_zip(data, records)
    if not records or not all(name.endswith(".npy") for name in records):
        raise UnreadableError(
            "is a zip without weights. Unpack it, or open a `.keras` file with "
            "`keras.models.load_model`."
        )
    if reason := unfolds_too_far(len(data), (info.file_size for info in records.values())):
        raise UnreadableError(reason)
    file.seek(0)
    with np.load(file, allow_pickle=False) as arrays:
        return dict(arrays)


def _read_safetensors(path):
    """The library refuses tensors that overlap, so none unfold to more than the file."""
    try:
        arrays = load_file(path)
    except AttributeError as error:  # the library asks NumPy for float8 and the like
        raise UnreadableError("holds a tensor in a number format that is not supported.") from error
    return {
        name: array.astype("f4") if array.dtype == ml_dtypes.bfloat16 else array
        for name, array in arrays.items()
    }
