"""Adam in TensorFlow's own operations: Keras' Adam takes longer to trace than an HRNet."""

import keras
import tensorflow as tf


class Adam(keras.optimizers.Adam):
    """Adam in TensorFlow's own operations; `fit` does not replace weights by their averages.

    Keras' update of a variable is about twenty operations. An HRNet has a thousand variables, and
    tracing and optimizing all their updates takes longer than the network and its gradients.

    Keras replaces the weights by their averages at the end of `fit`. A run that resumes within an
    epoch calls `fit` twice; the second call and the checkpoints need the weights themselves.
    """

    def _backend_update_step(self, grads, trainable_variables, learning_rate):
        """Updates this replica; with several replicas, `grads` are sums (`sum_gradients_first`)."""
        step = tf.cast(self.iterations + 1, tf.float32)
        numbers = {
            "beta1_power": tf.pow(self.beta_1, step),
            "beta2_power": tf.pow(self.beta_2, step),
            "lr": tf.convert_to_tensor(learning_rate),
            "beta1": tf.constant(self.beta_1),
            "beta2": tf.constant(self.beta_2),
            "epsilon": tf.constant(self.epsilon),
        }
        for grad, variable in zip(grads, trainable_variables, strict=True):
            index = self._get_variable_index(variable)
            momentum, velocity = self._momentums[index], self._velocities[index]
            tf.raw_ops.ResourceApplyAdam(
                var=variable.value.handle,
                m=momentum.value.handle,
                v=velocity.value.handle,
                grad=grad,
                **numbers,
            )

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
