"""Pose networks for `train`, `evaluate`, `inspect` and the TFRecords."""

from typing import Any

import keras

from hrnet_tf.networks.pose import pose
from hrnet_tf.training.pose.batches import batches
from hrnet_tf.training.pose.evaluator import evaluator
from hrnet_tf.training.pose.losses import loss
from hrnet_tf.training.pose.options import PoseScoring
from hrnet_tf.training.pose.pictures import panels
from hrnet_tf.training.pose.recipe import PoseRecipe
from hrnet_tf.training.pose.records import write_recipe_people
from hrnet_tf.training.pose.samples import view
from hrnet_tf.training.pose.source import check, held_out, scored, training_people
from hrnet_tf.training.task import Training


def network(recipe: PoseRecipe) -> keras.Model:
    """The untrained network of a recipe."""
    shape = (*recipe.input_size, 3)
    channels = recipe.codec.channels(len(recipe.keypoints.names))
    return pose(recipe.arch, shape, channels, head=recipe.head)


def is_head(layer: str) -> bool:
    """Whether a layer belongs to the head, also to Lite-HRNet's, which reads all streams."""
    return layer.startswith(("head", "final_layer"))


def options(recipe: PoseRecipe) -> dict[str, Any]:
    """Options of the predictor in the evaluations of a run."""
    return {"flip": recipe.flip_test, "batch_size": 32}


TRAINING = Training(
    recipe=PoseRecipe,
    scoring=PoseScoring,
    counted="people",
    check=check,
    network=network,
    is_head=is_head,
    source=training_people,
    held_out=held_out,
    batches=batches,
    loss=loss,
    scored=scored,
    evaluator=evaluator,
    options=options,
    panels=panels,
    inspect=view,
    write_records=write_recipe_people,
)
