"""Averages of weights for optimizers: per update, and beside the weights instead of in their place.

Keras replaces the weights by their averages at the end of `fit`. A run that resumes within an epoch
calls `fit` twice; the second call and the checkpoints need the weights themselves.
"""

from collections.abc import Callable

import keras
import tensorflow as tf


class Averages:
    """A base class in front of a Keras optimizer; `fit` does not replace weights by averages.

    Attributes:
        factor: variable -> factor of its learning rate.
    """

    factor: Callable[[keras.Variable], float] = staticmethod(lambda variable: 1.0)

    def rates(self, variables, learning_rate) -> list[tf.Tensor]:
        """The learning rate of each variable."""
        rate = tf.convert_to_tensor(learning_rate)
        factors = [self.factor(variable) for variable in variables]
        scaled = {factor: rate if factor == 1 else factor * rate for factor in {*factors}}
        return [scaled[factor] for factor in factors]

    def _update_model_variables_moving_average(self, trainable_variables):
        """Averages the weights after each update; Keras does so after each accumulated batch."""
        share = tf.where(self.iterations == 0, 1.0, 1 - self.ema_momentum)
        if every := self.gradient_accumulation_steps:
            share = tf.where((self._iterations + 1) % every == 0, share, 0.0)
        averages = self._model_variables_moving_average
        for variable, average in zip(trainable_variables, averages, strict=True):
            tf.raw_ops.ResourceApplyGradientDescent(
                var=average.value.handle, alpha=share, delta=average.value - variable.value
            )

    def finalize_variable_values(self, var_list):
        """Does nothing."""

    def averages(self) -> dict[str, keras.Variable]:
        """Path of each trainable variable -> its average; empty if `use_ema` is False."""
        if not self.use_ema:
            return {}
        pairs = zip(self._trainable_variables, self._model_variables_moving_average, strict=True)
        return {variable.path: average for variable, average in pairs}
