"""HRNet for Keras: models, published weights, prediction."""

from hrnet_tf.checkpoints import load_checkpoint, read_checkpoint
from hrnet_tf.models import backbone, pose
from hrnet_tf.predict import Pose, PosePredictor
from hrnet_tf.presets import PRESETS, from_preset
from hrnet_tf.specs import SPECS

__all__ = [
    "PRESETS",
    "SPECS",
    "Pose",
    "PosePredictor",
    "backbone",
    "from_preset",
    "load_checkpoint",
    "pose",
    "read_checkpoint",
]
__version__ = "0.1.0"
