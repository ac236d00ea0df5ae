"""Adam in TensorFlow's own operations: Keras' Adam takes longer to trace than an HRNet."""

import keras
import tensorflow as tf

from hrnet_tf.patches.keras_averages import Averages


class Adam(Averages, keras.optimizers.Adam):
    """Adam in TensorFlow's own operations; `fit` does not replace weights by their averages.

    Keras' update of a variable is about twenty operations. An HRNet has a thousand variables, and
    tracing and optimizing all their updates takes longer than the network and its gradients.
    """

    def _backend_update_step(self, grads, trainable_variables, learning_rate):
        """Updates this replica; with several replicas, `grads` are sums (`sum_gradients_first`)."""
        step = tf.cast(self.iterations + 1, tf.float32)
        numbers = {
            "beta1_power": tf.pow(self.beta_1, step),
            "beta2_power": tf.pow(self.beta_2, step),
            "beta1": tf.constant(self.beta_1),
            "beta2": tf.constant(self.beta_2),
            "epsilon": tf.constant(self.epsilon),
        }
        rates = self.rates(trainable_variables, learning_rate)
        for grad, variable, rate in zip(grads, trainable_variables, rates, strict=True):
            index = self._get_variable_index(variable)
            momentum, velocity = self._momentums[index], self._velocities[index]
            tf.raw_ops.ResourceApplyAdam(
                var=variable.value.handle,
                m=momentum.value.handle,
                v=velocity.value.handle,
                grad=grad,
                lr=rate,
                **numbers,
            )
