"""Depth networks for `train` and `evaluate`."""

import keras
import numpy as np
from add import depth

from hrnet_tf.training.depth.data import batches, read
from hrnet_tf.training.depth.evaluator import DepthEvaluator
from hrnet_tf.training.depth.options import DepthScoring
from hrnet_tf.training.depth.recipe import DepthRecipe
from hrnet_tf.training.task import Training


def scored(recipe):
    return DepthScoring(recipe.val_annotations, recipe.val_images)


def evaluator(card, scoring, report):
    return DepthEvaluator(read(scoring.annotations, scoring.images, (32, 32)), scoring)


def held_out(recipe):
    source = read(recipe.val_annotations, recipe.val_images, recipe.input_size)
    return source, DepthEvaluator(source, scored(recipe))


def panels(card, inputs, targets, outputs):
    """Each target beside its prediction."""
    assert inputs["image"].shape[1:] == (32, 32, 3)
    maps = np.concatenate([targets["depth"], outputs["depth"]], axis=2)
    return [*np.uint8(255 * np.repeat(maps, 3, axis=3))]


TRAINING = Training(
    recipe=DepthRecipe,
    scoring=DepthScoring,
    counted="pictures",
    network=lambda recipe: depth((*recipe.input_size, 3)),
    source=lambda recipe: read(recipe.train_annotations, recipe.train_images, recipe.input_size),
    held_out=held_out,
    batches=batches,
    loss=lambda recipe: {"depth": keras.losses.MeanAbsoluteError()},
    scored=scored,
    evaluator=evaluator,
    panels=panels,
)
