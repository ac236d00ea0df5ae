"""Segmentation networks for `train`, `evaluate`, `inspect` and the TFRecords."""

from dataclasses import replace
from typing import Any

import keras

from hrnet_tf.networks.segmentation import segmentation
from hrnet_tf.training.segmentation.batches import batches
from hrnet_tf.training.segmentation.evaluator import evaluator
from hrnet_tf.training.segmentation.losses import distance, loss
from hrnet_tf.training.segmentation.options import SegmentationScoring
from hrnet_tf.training.segmentation.panels import panels
from hrnet_tf.training.segmentation.recipe import SegmentationRecipe
from hrnet_tf.training.segmentation.records import write_recipe_pictures
from hrnet_tf.training.segmentation.samples import view
from hrnet_tf.training.segmentation.source import check, held_out, scored, training_pictures
from hrnet_tf.training.task import Training

# Parts of the names of the layers that the original trains at another rate
# (TRAIN.NONBACKBONE_KEYWORDS).
HEAD = ("last_layer", "cls", "aux", "ocr")


def network(recipe: SegmentationRecipe) -> keras.Model:
    """The untrained network of a recipe."""
    return segmentation(
        recipe.arch,
        len(recipe.classes.names),
        (*recipe.input_size, 3),
        head=recipe.head,
        align_corners=recipe.align_corners,
    )


def published(recipe: SegmentationRecipe) -> keras.Model:
    """The network at the size of `test_size`."""
    return network(replace(recipe, input_size=recipe.test_size or recipe.input_size))


def is_head(layer: str) -> bool:
    """Whether a layer belongs to the head."""
    return any(word in layer for word in HEAD)


def options(recipe: SegmentationRecipe) -> dict[str, Any]:
    """Options of the predictor in the evaluations of a run."""
    return {"scales": recipe.test_scales, "flip": recipe.flip_test}


TRAINING = Training(
    recipe=SegmentationRecipe,
    scoring=SegmentationScoring,
    counted="pictures",
    check=check,
    network=network,
    published=published,
    is_head=is_head,
    source=training_pictures,
    held_out=held_out,
    batches=batches,
    loss=loss,
    distance=distance,
    scored=scored,
    evaluator=evaluator,
    options=options,
    panels=panels,
    inspect=view,
    write_records=write_recipe_pictures,
)
