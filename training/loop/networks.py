"""The networks of a run: one that is trained, and a plain copy that is measured and published."""

import dataclasses

import keras
import tensorflow as tf

from hrnet_tf.patches.keras_normalization import fuse
from hrnet_tf.training.loop.network import dtype_policy, set_normalization
from hrnet_tf.training.loop.optimizers import optimizer
from hrnet_tf.training.recipe import Recipe
from hrnet_tf.training.task import Training


@dataclasses.dataclass(frozen=True)
class Networks:
    """The networks of a run.

    Attributes:
        network: what is trained, in the precision of the run.
        model: the compiled model around it that `fit` sees; often the network itself.
        copy: of the network, plain and in float32: it is measured and published.
        trainee: the same around the copy; `copy_weights` brings it up to date.
    """

    network: keras.Model
    model: keras.Model
    copy: keras.Model
    trainee: keras.Model


def build(
    recipe: Recipe, training: Training, strategy: tf.distribute.Strategy, steps: int, xla: bool
) -> Networks:
    """The compiled network on the devices of a strategy, and a plain copy in float32."""
    loss = training.loss(recipe)
    with strategy.scope(), dtype_policy(recipe.precision):
        network = training.network(recipe)
        model = training.trainee(network, recipe)
        together = recipe.sync_norm and strategy.num_replicas_in_sync > 1
        set_normalization(model, recipe.frozen_norm, together)
        fuse(model)
        # XLA only if asked: it compiles for longer than it saves in a short run on CPUs.
        model.compile(optimizer(recipe, steps), loss, jit_compile=xla)
        model.optimizer.build(model.trainable_variables)
    with dtype_policy("float32"):
        copy = training.network(recipe)
        return Networks(network, model, copy, training.trainee(copy, recipe))
