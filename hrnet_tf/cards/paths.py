"""Where the cards of model files lie."""

import json
from pathlib import Path

from hrnet_tf.files import sha256

NETWORKS = (".keras", ".h5", ".tflite", ".onnx")


def card_path(model_path: str | Path) -> Path:
    """The path of a model file's card: `x.onnx` -> `x.onnx.json` if that exists, else `x.json`."""
    path = Path(model_path)
    own = path.with_name(f"{path.name}.json")
    return own if own.is_file() else path.with_suffix(".json")


def new_card_path(model_path: str | Path) -> Path:
    """The path to write a model file's card to: `x.json`, or `x.onnx.json` for `x.onnx`.

    The longer name is for files beside which `x.json` is the card of another file that is there.
    """
    path, shared = Path(model_path), Path(model_path).with_suffix(".json")
    own = path.with_name(f"{path.name}.json")
    return own if own.is_file() or _is_of_another(shared, path) else shared


def _is_of_another(card, path):
    """Whether a card belongs to a network of the same name in another format."""
    others = [path.with_suffix(suffix) for suffix in NETWORKS if suffix != path.suffix]
    others = [other for other in others if other.is_file()]
    if not others or not card.is_file():
        return False
    try:
        digest = json.loads(card.read_text(encoding="utf-8"))["conversion"]["sha256"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        digest = None  # of a network that was not converted
    converted = [other for other in others if other.suffix in (".tflite", ".onnx")]
    if digest:
        return any(sha256(other) == digest for other in converted)
    return len(others) > len(converted)
