"""Depth networks for `train` and `evaluate`."""

import keras
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
)
