"""The networks of a run: one that is trained, and a plain copy that is measured and published."""

import contextlib
import dataclasses
from collections.abc import Iterator
from functools import cached_property

import keras
import tensorflow as tf

from hrnet_tf.collection import uncollected
from hrnet_tf.patches.keras_fit import trace_once
from hrnet_tf.patches.keras_normalization import fuse
from hrnet_tf.training.loop.optimizers import optimizer
from hrnet_tf.training.recipe import Recipe
from hrnet_tf.training.task import Training


@dataclasses.dataclass(frozen=True)
class Networks:
    """The networks of a run.

    Attributes:
        network: the network that is trained, in the precision of the run.
        model: the compiled model that `fit` trains: it contains `network`, and often is it.
        recipe, training: of the run; they make the other networks when these are first needed.
    """

    network: keras.Model
    model: keras.Model
    recipe: Recipe
    training: Training

    @cached_property
    def copy(self) -> keras.Model:
        """A plain copy of the network in float32, for the validation loss and pictures."""
        with dtype_policy("float32"), uncollected():
            return self.training.network(self.recipe)

    @cached_property
    def trainee(self) -> keras.Model:
        """A model like `model` that contains `copy`; `copy_weights` updates its weights."""
        with dtype_policy("float32"):
            return self.training.trainee(self.copy, self.recipe)

    @cached_property
    def published(self) -> keras.Model:
        """`copy`, or a network with its weights for images of another size.

        It is evaluated and published; `settle` updates its weights.
        """
        if not self.training.published:
            return self.copy
        with dtype_policy("float32"), uncollected():
            return self.training.published(self.recipe)

    def settle(self) -> None:
        """Gives `published` the weights of `copy`."""
        if self.published is not self.copy:
            # The order of layers may depend on whether the size of images is known.
            found = {theirs.path: theirs for theirs in self.copy.weights}
            for ours in self.published.weights:
                ours.assign(found[ours.path])


def build(
    recipe: Recipe, training: Training, strategy: tf.distribute.Strategy, steps: int, xla: bool
) -> Networks:
    """The compiled network on the devices of a strategy."""
    loss = training.loss(recipe)
    with strategy.scope(), dtype_policy(recipe.precision), uncollected():
        network = training.network(recipe)
        model = training.trainee(network, recipe)
        together = recipe.sync_norm and strategy.num_replicas_in_sync > 1
        set_normalization(model, recipe.frozen_norm, together)
        fuse(model)
        # XLA is off by default: in a short run on CPUs, compiling takes longer than it saves.
        model.compile(optimizer(recipe, steps, training.is_head), loss, jit_compile=xla)
        model.optimizer.build(model.trainable_variables)
    if strategy is tf.distribute.get_strategy() and not xla:  # the one without any devices to join
        trace_once(model)
    return Networks(network, model, recipe, training)


@contextlib.contextmanager
def dtype_policy(name: str) -> Iterator[None]:
    """Layers that are created inside have this dtype policy."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(name)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def set_normalization(model: keras.Model, frozen: bool, synchronized: bool) -> None:
    """Freezes batch normalization, or synchronizes it over all devices; call it before `compile`.

    If frozen, layers use the moving statistics that they have, and neither these nor scale and
    offset change.
    """
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.trainable = not frozen
            layer.synchronized = synchronized
