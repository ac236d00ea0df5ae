"""The optimizer of a recipe."""

from collections.abc import Callable

import keras

from hrnet_tf.patches.keras_adam import Adam
from hrnet_tf.patches.keras_sgd import SGD
from hrnet_tf.training.loop.schedules import learning_rate
from hrnet_tf.training.recipe import Recipe

BIASES = ("bias", "beta")  # of layers, and of normalization


def optimizer(
    recipe: Recipe, steps: int, is_head: Callable[[str], bool] = lambda layer: False
) -> keras.optimizers.Optimizer:
    """The optimizer of a recipe.

    For mixed_float16, `compile` wraps it into Keras' `LossScaleOptimizer`.

    Args:
        recipe: has all values.
        steps: number of steps in an epoch.
        is_head: name of a layer -> whether its weights have the rate of the head.
    """
    rate = learning_rate(recipe, steps)
    settings = {
        "global_clipnorm": recipe.clip_norm or None,
        "gradient_accumulation_steps": recipe.accumulation if recipe.accumulation > 1 else None,
        "use_ema": recipe.ema > 0,
        "ema_momentum": recipe.ema or 0.99,
    }
    if recipe.optimizer == "adam":
        made = Adam(rate, epsilon=1e-8, **settings)  # PyTorch's epsilon
    else:
        nesterov, decay = recipe.nesterov, recipe.weight_decay
        made = SGD(rate, recipe.momentum, nesterov, decay=decay, **settings)

    def factor(variable):
        layer, _, kind = variable.path.rpartition("/")
        rate = recipe.head_rate if is_head(layer.partition("/")[0]) else 1.0
        return rate * recipe.bias_rate if kind == "bias" else rate

    if (recipe.head_rate, recipe.bias_rate) != (1, 1):
        made.factor = factor
    if not recipe.decay_biases:
        made.decays = lambda variable: variable.path.rpartition("/")[2] not in BIASES
    return made
