"""Detectors for `train`, `evaluate`, `inspect` and the TFRecords."""

import keras

from hrnet_tf.networks.checks import spec_of
from hrnet_tf.networks.detection import detection
from hrnet_tf.networks.specs import LiteHRNetSpec
from hrnet_tf.training.detection.batches import batches
from hrnet_tf.training.detection.evaluator import evaluator
from hrnet_tf.training.detection.options import DetectionScoring
from hrnet_tf.training.detection.panels import panels
from hrnet_tf.training.detection.recipe import DetectionRecipe
from hrnet_tf.training.detection.records import write_records
from hrnet_tf.training.detection.samples import view
from hrnet_tf.training.detection.source import held_out, scored, settle, training_pictures
from hrnet_tf.training.detection.trainee import trainee
from hrnet_tf.training.task import Training

HEADS = ("bbox_head", "roi_head", "rpn_head", "fpn_conv", "reduction_conv")


def network(recipe: DetectionRecipe) -> keras.Model:
    """The untrained network of a recipe."""
    count = len(recipe.classes)
    shape, width = (*recipe.input_size, 3), recipe.head_channels
    model = detection(recipe.arch, count, recipe.head, shape, channels=width)
    if recipe.head == "htc":  # without COCO-stuff's maps its classes of pixels have no loss
        model.get_layer("roi_head.semantic_head.conv_logits").trainable = False
    return model


def published(recipe: DetectionRecipe) -> keras.Model:
    """The network for images of any size; a Lite-HRNet keeps the size of training."""
    if isinstance(spec_of(recipe.arch), LiteHRNetSpec):
        return network(recipe)
    count, width = len(recipe.classes), recipe.head_channels
    return detection(recipe.arch, count, recipe.head, channels=width)


def is_head(layer: str) -> bool:
    """Whether a layer belongs to the neck or a head."""
    return layer.startswith(HEADS)


TRAINING = Training(
    recipe=DetectionRecipe,
    scoring=DetectionScoring,
    counted="pictures",
    settle=settle,
    network=network,
    published=published,
    is_head=is_head,
    source=training_pictures,
    held_out=held_out,
    batches=batches,
    loss=lambda recipe: None,  # the trainee has its own
    trainee=trainee,
    scored=scored,
    evaluator=evaluator,
    panels=panels,
    inspect=view,
    write_records=write_records,
)
