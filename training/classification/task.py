"""Classification networks for `train`, `evaluate`, `inspect` and the TFRecords."""

from typing import Any

import keras
import numpy as np

from hrnet_tf.networks.classification import classification
from hrnet_tf.training.classification.batches import batches
from hrnet_tf.training.classification.evaluator import ClassificationEvaluator
from hrnet_tf.training.classification.losses import Divergence, loss
from hrnet_tf.training.classification.options import ClassificationScoring
from hrnet_tf.training.classification.recipe import ClassificationRecipe
from hrnet_tf.training.classification.records import write_records
from hrnet_tf.training.classification.samples import panels, view
from hrnet_tf.training.classification.source import (
    held_out_pictures,
    scored,
    settle,
    training_pictures,
)
from hrnet_tf.training.task import Training


def network(recipe: ClassificationRecipe) -> keras.Model:
    """The untrained network of a recipe, with random weights as in the original.

    Convolutions get He's normal initialization by their outputs, the classifier PyTorch's default
    (`init_weights` in `cls_hrnet.py`).
    """
    model = classification(recipe.arch, len(recipe.classes), (*recipe.input_size, 3))
    he = {"scale": 2.0, "mode": "fan_out", "distribution": "untruncated_normal"}
    for layer in model.layers:
        if isinstance(layer, keras.layers.Conv2D):
            start = keras.initializers.VarianceScaling(**he)
            layer.kernel.assign(start(layer.kernel.shape))
        elif isinstance(layer, keras.layers.Dense):
            bound = 1 / np.sqrt(layer.kernel.shape[0])
            for variable in layer.weights:
                start = keras.initializers.RandomUniform(-bound, bound)
                variable.assign(start(variable.shape))
    return model


def options(recipe: ClassificationRecipe) -> dict[str, Any]:
    """Options of the predictor in the evaluations of a run."""
    return {"top": 5, "batch_size": 32}


def is_head(layer: str) -> bool:
    """Whether a layer is the one that other classes replace, which gets `head_rate`."""
    return layer == "classifier"


TRAINING = Training(
    recipe=ClassificationRecipe,
    scoring=ClassificationScoring,
    counted="pictures",
    settle=settle,
    network=network,
    source=training_pictures,
    held_out=held_out_pictures,
    batches=batches,
    loss=loss,
    scored=scored,
    evaluator=ClassificationEvaluator,
    options=options,
    is_head=is_head,
    panels=panels,
    inspect=view,
    write_records=write_records,
    distance=lambda recipe: Divergence(),
)
