"""The optimizer of a recipe."""

import keras

from hrnet_tf.patches.keras_adam import Adam
from hrnet_tf.training.loop.schedules import learning_rate
from hrnet_tf.training.recipe import Recipe


def optimizer(recipe: Recipe, steps: int) -> keras.optimizers.Optimizer:
    """The optimizer of a recipe whose epochs have this many steps.

    For mixed_float16, `compile` wraps it into Keras' `LossScaleOptimizer`.
    """
    return Adam(
        learning_rate(recipe, steps),
        epsilon=1e-8,  # PyTorch's
        global_clipnorm=recipe.clip_norm or None,
        gradient_accumulation_steps=recipe.accumulation if recipe.accumulation > 1 else None,
        use_ema=recipe.ema > 0,
        ema_momentum=recipe.ema or 0.99,
    )
