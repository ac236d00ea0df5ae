"""HRNet for Keras: models, published weights, prediction."""

import importlib

_HOMES = {
    "PRESETS": "presets",
    "ClassificationCard": "cards.classification",
    "DetectionCard": "cards.detection",
    "DetectionPredictor": "tasks.detection.predictor",
    "Detections": "tasks.detection.detections",
    "HRNetSpec": "networks.specs",
    "LiteHRNetSpec": "networks.specs",
    "PoseCard": "cards.pose",
    "SegmentationCard": "cards.segmentation",
    "read_image": "media.images",
    "save_model": "cards.files",
    "write_card": "cards.files",
    "SPECS": "networks.specs",
    "ImageClassifier": "tasks.classification.predictor",
    "Pose": "tasks.pose.predictor",
    "PosePredictor": "tasks.pose.predictor",
    "SegmentationPredictor": "tasks.segmentation.predictor",
    "backbone": "networks.features",
    "classification": "networks.classification",
    "decode_predictions": "tasks.classification.predictor",
    "detection": "networks.detection",
    "feature_pyramid": "networks.features",
    "from_preset": "presets",
    "load_checkpoint": "weights.load",
    "pose": "networks.pose",
    "predictor": "tasks.opened",
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
