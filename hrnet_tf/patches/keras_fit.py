"""Steps of `fit` on several devices and machines, which Keras 3.15 with TensorFlow gets wrong."""

from collections.abc import Callable

import keras
import tensorflow as tf

from hrnet_tf.patches.keras_adam import Adam


def sum_gradients_first(optimizer: keras.optimizers.Optimizer) -> None:
    """Lets the optimizer see the sum of all replicas' gradients, as on one device.

    Keras 3.15 adds gradients up last: it clips, accumulates and looks for infinities in the share
    of each replica, and cannot accumulate on several at all. With the sum first, all replicas are
    equal and each updates its own copy of the variables.
    """
    if "apply" in vars(optimizer):
        return
    apply = optimizer.apply
    inner = getattr(optimizer, "inner_optimizer", optimizer)  # of one that scales the loss

    def apply_sum(grads, trainable_variables=None):
        replica = tf.distribute.get_replica_context()
        summed = iter(replica.all_reduce("SUM", [grad for grad in grads if grad is not None]))
        grads = [grad if grad is None else next(summed) for grad in grads]
        return apply(grads, trainable_variables)

    def update(grads, trainable_variables, learning_rate):
        for grad, variable in zip(grads, trainable_variables, strict=True):
            inner.update_step(grad, variable, learning_rate)

    def accumulate(grads, sums):
        for grad, variable in zip(grads, sums, strict=True):
            variable.assign_add(grad)

    optimizer.apply = apply_sum
    if not isinstance(inner, Adam):  # which does not add them up
        inner._backend_update_step = update
    inner._backend_increment_gradient_accumulators = accumulate


def build_from_specs(model: keras.Model, specs: tuple[tf.TypeSpec, ...]) -> None:
    """Creates the variables of metrics without a look at the data.

    Keras 3.15 takes the mean of the first batches of all workers to see their shapes, in a call
    that several workers cannot make (keras#20585).
    """

    def build(**_):
        batch = tf.nest.map_structure(lambda spec: getattr(spec, "_value_specs", [spec])[0], specs)
        with model.distribute_strategy.scope():
            model._symbolic_build(data_batch=batch)

    model._maybe_symbolic_build = build


def return_vectors(model: keras.Model) -> None:
    """Has steps return vectors of length 1 for scalars.

    On several workers Keras 3.15 averages the results of steps over their first axis.
    """
    for name in ("train_step", "test_step"):
        if name not in vars(model):
            setattr(model, name, _vectors(getattr(model, name)))


def _vectors(step: Callable) -> Callable:
    return lambda data: {name: tf.reshape(value, (1,)) for name, value in step(data).items()}
