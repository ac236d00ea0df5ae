"""HRNet for Keras: models, published weights, prediction."""

import importlib

_HOMES = {
    "PRESETS": "presets",
    "SPECS": "specs",
    "ImageClassifier": "classify",
    "Pose": "predict",
    "PosePredictor": "predict",
    "SegmentationPredictor": "segment",
    "backbone": "models",
    "classification": "models",
    "decode_predictions": "classify",
    "feature_pyramid": "models",
    "from_preset": "presets",
    "load_checkpoint": "checkpoints",
    "pose": "models",
    "read_checkpoint": "checkpoints",
    "segmentation": "models",
}
__all__ = sorted(_HOMES)
__version__ = "0.1.0"


def __getattr__(name):
    """Imports on first use, so that `hrnet-tf --help` need not wait for Keras."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
