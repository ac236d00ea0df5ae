"""Adam as the recipes use it."""

import keras

from hrnet_tf.training.recipe import Recipe
from hrnet_tf.training.schedules import learning_rate


class Adam(keras.optimizers.Adam):
    """Keras' Adam, which leaves the weights alone at the end of `fit`.

    Keras puts the averaged weights in their place. But a run that goes on within an epoch needs two
    calls of `fit`, and a checkpoint must hold what training would go on with.
    """

    def finalize_variable_values(self, var_list):
        """Does nothing."""

    def averages(self) -> dict[str, keras.Variable]:
        """Path of each trainable variable -> its average; empty without averages."""
        if not self.use_ema:
            return {}
        pairs = zip(self._trainable_variables, self._model_variables_moving_average, strict=True)
        return {variable.path: average for variable, average in pairs}


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
