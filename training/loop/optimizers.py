"""The optimizer of a recipe."""

import keras

from hrnet_tf.patches.keras_adam import Adam
from hrnet_tf.patches.keras_sgd import SGD
from hrnet_tf.training.loop.schedules import learning_rate
from hrnet_tf.training.recipe import Recipe


def optimizer(recipe: Recipe, steps: int) -> keras.optimizers.Optimizer:
    """The optimizer of a recipe whose epochs have this many steps.

    For mixed_float16, `compile` wraps it into Keras' `LossScaleOptimizer`.
    """
    rate = learning_rate(recipe, steps)
    settings = {
        "global_clipnorm": recipe.clip_norm or None,
        "gradient_accumulation_steps": recipe.accumulation if recipe.accumulation > 1 else None,
        "use_ema": recipe.ema > 0,
        "ema_momentum": recipe.ema or 0.99,
    }
    if recipe.optimizer == "adam":
        return Adam(rate, epsilon=1e-8, **settings)  # PyTorch's epsilon
    nesterov, decay = recipe.nesterov, recipe.weight_decay
    return SGD(rate, recipe.momentum, nesterov, decay=decay, **settings)
