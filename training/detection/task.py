"""Detectors for `evaluate`; they are not trained here."""

from hrnet_tf.training.detection.evaluator import evaluator
from hrnet_tf.training.detection.options import DetectionScoring
from hrnet_tf.training.task import Scored

TRAINING = Scored(scoring=DetectionScoring, evaluator=evaluator)
