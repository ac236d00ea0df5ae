"""SGD with PyTorch's momentum and weight decay, in TensorFlow's own operations."""

from collections.abc import Callable

import keras
import tensorflow as tf

from hrnet_tf.patches.keras_averages import Averages


class SGD(Averages, keras.optimizers.SGD):
    """SGD as `torch.optim.SGD`: v = momentum v + (g + decay w); w -= rate v, or Nesterov's step.

    Keras keeps the rate inside the velocity (v = momentum v - rate g), which gives other weights
    as soon as the rate changes. Its weight decay takes rate * decay * w beside the momentum;
    here the decay is a part of the gradient, after clipping, for each variable.

    Attributes:
        decays: variable -> whether it decays; all do by default.

    Args:
        decay: PyTorch's `weight_decay`; Keras' argument of that name stays unused.
        args, kwargs: as for `keras.optimizers.SGD`.
    """

    decays: Callable[[keras.Variable], bool] = staticmethod(lambda variable: True)

    def __init__(self, *args, decay: float = 0.0, **kwargs):
        super().__init__(*args, **kwargs)
        self.decay = decay

    def _backend_update_step(self, grads, trainable_variables, learning_rate):
        """Updates this replica; with several replicas, `grads` are sums (`sum_gradients_first`)."""
        rates = self.rates(trainable_variables, learning_rate)
        for grad, variable, rate in zip(grads, trainable_variables, rates, strict=True):
            if self.decay and self.decays(variable):
                grad = grad + self.decay * variable.value
            if not self.momentum:
                tf.raw_ops.ResourceApplyGradientDescent(
                    var=variable.value.handle, alpha=rate, delta=grad
                )
                continue
            tf.raw_ops.ResourceApplyMomentum(
                var=variable.value.handle,
                accum=self.momentums[self._get_variable_index(variable)].value.handle,
                lr=rate,
                grad=grad,
                momentum=self.momentum,
                use_nesterov=self.nesterov,
            )

    def get_config(self):
        return super().get_config() | {"decay": self.decay}
