"""Opens the files in which Keras keeps networks, and says of other files what they are."""

import contextlib
import io
import os
import re
import warnings
import zipfile
from pathlib import Path

import h5py
import keras

from hrnet_tf.files import DAMAGE, existing, unfolds_too_far
from hrnet_tf.patches.keras_loading import made_when_assigned
from hrnet_tf.runtime.keras_model import functional

SUFFIXES = (".keras", ".h5", ".hdf5")
WEIGHTS = ".weights.h5"
CONFIG = "config.json"  # in the zip that a .keras file is
RENAMED = "is a {} file by its content. Rename it to end in .{}."
RUN = "model.keras"  # the network in the folder of a training run


def network_file(path: str | os.PathLike) -> Path:
    """The file of a network: the path itself, or of a run's folder the network in it.

    Raises:
        ValueError: it is a SavedModel or another folder, or a file of weights alone.
    """
    path = Path(path)
    if path.is_dir():
        if (path / RUN).is_file():
            return path / RUN
        raise ValueError(f"{path}: {_folder(path)}")
    if path.name.endswith(WEIGHTS):
        raise ValueError(
            f"{path}: holds weights without a network. Name the preset of its architecture and "
            f"give the file as its weights: --model=PRESET --weights={path.name}. For a network of "
            "your own: build it, `model.load_weights(file)`, `model.save('mine.keras')`."
        )
    return path


def _folder(path):
    """What a folder is that holds no network of a run."""
    if (path / CONFIG).is_file():
        if "keras_hub_version" in _text(path / "metadata.json"):
            return (
                "is a preset of KerasHub. In Python, open it and save the model: "
                "`keras_hub.models.Backbone.from_preset(folder).save('mine.keras')`."
            )
        return (
            "is what a .keras file has inside, as a folder. Make it a file: "
            "`keras.models.load_model(folder).save('mine.keras')`."
        )
    saved = (path / "saved_model.pb").is_file()
    what = "a SavedModel, whose layers are not known any more" if saved else "a folder"
    return (
        f"is {what}, and no network that can be opened. Give the .keras file that it "
        f"was made from, or a folder with a {RUN}."
    )


def _text(path):
    return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""


def load_keras(path: str | os.PathLike) -> keras.Model:
    """The network in a `.keras` or `.h5` file, functional and not compiled.

    Raises:
        OSError: there is no such file.
        ValueError: Keras cannot open it; the sentence says why.
    """
    path = existing(path)
    _check_unfolded(path)
    try:
        with made_when_assigned():
            model = keras.models.load_model(path, compile=False)
    except Exception as error:  # zipfile, HDF5 and Keras raise different errors on damaged files
        raise ValueError(f"{path}: {_other_kind(path) or _reason(_texts(error))}") from error
    if not isinstance(model, keras.Model):
        raise ValueError(f"{path}: holds a {type(model).__name__}, and no keras.Model.")
    try:
        return functional(model)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def _check_unfolded(path):
    """Raises ValueError if a file unfolds too far; of a damaged one, Keras says what is wrong."""
    reason = ""
    with contextlib.suppress(OSError, *DAMAGE):
        if path.suffix != ".keras":
            sizes = _array_sizes(path)
        else:
            with zipfile.ZipFile(path) as archive:
                sizes = [info.file_size for info in archive.infolist()]
                if not unfolds_too_far(path.stat().st_size, sizes):
                    sizes = _array_sizes(io.BytesIO(archive.read("model.weights.h5")))
        reason = unfolds_too_far(path.stat().st_size, sizes)
    if reason:
        raise ValueError(f"{path}: {reason}")


def _array_sizes(file):
    """Bytes of the arrays of an HDF5 file, which may be compressed in it."""
    sizes = []
    with h5py.File(file) as content:
        content.visititems(
            lambda _, item: sizes.append(item.nbytes) if isinstance(item, h5py.Dataset) else None
        )
    return sizes


def _other_kind(path):
    """What a file is if its name says something else; empty if it may be what it is named."""
    with path.open("rb") as file:
        head = file.read(8)
    if head.startswith(b"PK"):
        try:
            names = zipfile.ZipFile(path).namelist()
        except zipfile.BadZipFile:
            return ""
        if any(name.endswith("data.pkl") for name in names):
            return (
                "is a checkpoint of PyTorch. Give it as weights, beside the preset of its "
                f"architecture: --model=PRESET --weights={path.name}."
            )
        if CONFIG in names:
            return "" if path.suffix == ".keras" else RENAMED.format("Keras 3", "keras")
        inside = [name for name in names if name.endswith(SUFFIXES)]
        return f"is an archive with {inside[0]} in it. Unpack it and give that." if inside else ""
    if head == b"\x89HDF\r\n\x1a\n":
        return RENAMED.format("HDF5", "h5") if path.suffix == ".keras" else ""
    return RENAMED.format("TFLite", "tflite") if head[4:] == b"TFL3" else ""


def _texts(error):
    """The messages of an error and of those that it was raised from, the last one first."""
    found = []
    while error is not None and error not in found:
        found.append(error)
        error = error.__cause__ or error.__context__
    return "\n".join(str(each).strip() or type(each).__name__ for each in found)


def _reason(text):
    unknown = re.search(r"(?:Could not locate|Unknown) (class|layer|function)[:]? '([^']+)'", text)
    if unknown:
        kind = "a function" if unknown[1] == "function" else "a layer of the class"
        return (
            f"has {kind} {unknown[2]}, which is not known here. In Python, "
            "import its module, open the file by keras.models.load_model, and give the model for "
            "the file: to_tflite(model), predictor(model)."
        )
    if "safe_mode" in text or "unsafe" in text.lower():
        kind = "TFSMLayer" if "TFSMLayer" in text else "Lambda layer"
        return (
            f"has a {kind}, whose code is not run unasked. If you trust the file, open "
            "it with keras.models.load_model(file, safe_mode=False) and give the model in place of "
            "the file: to_tflite(model), predictor(model)."
        )
    if "No model config found" in text or "model_config" in text:
        return (
            "holds weights without a network. Build the network, `model.load_weights(file)`, and "
            "save it with `model.save('mine.keras')`."
        )
    reason = text.strip().split("\n")[0]
    return (
        f"cannot be opened by Keras {keras.__version__} ({reason}). "
        "Check that it was saved by this or an older Keras, and copied whole."
    )


def load_weights(model: keras.Model, path: str | os.PathLike) -> None:
    """Loads a file of `model.save_weights` or the weights of a `.h5` network.

    Raises:
        OSError: there is no such file.
        ValueError: the file is damaged, or of another network.
    """
    path = existing(path)
    _check_unfolded(path)
    try:
        with warnings.catch_warnings(action="ignore"):  # a line for each layer
            model.load_weights(path)
    except Exception as error:  # HDF5 and Keras raise different errors
        reason = str(error).strip().split("\n")[0]
        raise ValueError(
            f"{path}: does not fit {model.name} ({reason}). Give the architecture that it was "
            "saved from, with as many classes or keypoints."
        ) from error
