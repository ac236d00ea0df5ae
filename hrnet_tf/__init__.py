"""HRNet for Keras: models, published weights, prediction."""

from hrnet_tf.models import backbone, pose
from hrnet_tf.specs import SPECS

__all__ = ["SPECS", "backbone", "pose"]
__version__ = "0.1.0"
