"""HRNet for Keras: models, published weights, prediction."""

import importlib

_HOMES = {
    "PRESETS": "presets",
    "ClassificationCard": "tasks.classification.card",
    "HRNetSpec": "networks.specs",
    "LiteHRNetSpec": "networks.specs",
    "PoseCard": "tasks.pose.card",
    "SegmentationCard": "tasks.segmentation.card",
    "read_image": "media.images",
    "save_model": "tasks.card_files",
    "write_card": "tasks.card_files",
    "SPECS": "networks.specs",
    "ImageClassifier": "tasks.classification.predictor",
    "Pose": "tasks.pose.predictor",
    "PosePredictor": "tasks.pose.predictor",
    "SegmentationPredictor": "tasks.segmentation.predictor",
    "backbone": "networks.features",
    "classification": "networks.classification",
    "decode_predictions": "tasks.classification.predictor",
    "feature_pyramid": "networks.features",
    "from_preset": "presets",
    "load_checkpoint": "weights.load",
    "pose": "networks.pose",
    "predictor": "opening",
    "read_checkpoint": "weights.load",
    "segmentation": "networks.segmentation",
}
__all__ = sorted(_HOMES)
__version__ = "0.1.0"


def __getattr__(name):
    """Imports on first use, so that `hrnet-tf --help` need not wait for Keras."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
