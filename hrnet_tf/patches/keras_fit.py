"""Changes the steps of Keras 3.15's `fit` with TensorFlow: on one device, and on several."""

from collections.abc import Callable

import keras
import tensorflow as tf

from hrnet_tf.collection import uncollected
from hrnet_tf.patches.keras_averages import Averages
from hrnet_tf.patches.tensorflow_graphs import optimized_once


def trace_once(model: keras.Model) -> None:
    """Gives a compiled model a step that is one graph, for one device and without XLA.

    Keras puts the graph of a step into a second one, that of an iterator's next batch; with the
    thousands of variables of an HRNet, making and optimizing both takes seconds.
    """

    @tf.function(autograph=False)
    def step(iterator):
        with uncollected():
            return model.train_step(next(iterator))

    def train_function(iterator):
        with optimized_once():
            return step(iterator)

    model.train_function = train_function


def sum_gradients_first(optimizer: keras.optimizers.Optimizer) -> None:
    """Gives the optimizer the sum of all replicas' gradients, as on one device.

    Keras 3.15 sums gradients at the end: it clips them and looks for infinities on each replica
    alone, and cannot accumulate on several replicas. If the sum comes first, all replicas have
    equal gradients, and each updates its own copy of the variables.
    """
    if "apply" in vars(optimizer):
        return
    apply = optimizer.apply
    inner = getattr(optimizer, "inner_optimizer", optimizer)  # a LossScaleOptimizer has one

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
    if not isinstance(inner, Averages):  # our optimizers do not sum gradients in their updates
        inner._backend_update_step = update
    inner._backend_increment_gradient_accumulators = accumulate


def build_from_specs(model: keras.Model, specs: tuple[tf.TypeSpec, ...]) -> None:
    """Creates the variables of metrics from the specs of the data, without reading a batch.

    To learn the shapes, Keras 3.15 averages the first batches of all workers by a call that fails
    on several workers (keras#20585).
    """
    model._maybe_symbolic_build = lambda **_: build_losses(model, specs)


def build_losses(model: keras.Model, specs: tuple[tf.TypeSpec, ...]) -> None:
    """Creates the variables of the losses of several outputs, which Keras does in the first step.

    A checkpoint of such a model has values for them.
    """
    batch = tf.nest.map_structure(lambda spec: getattr(spec, "_value_specs", [spec])[0], specs)
    with model.distribute_strategy.scope():
        model._symbolic_build(data_batch=batch)


def return_vectors(model: keras.Model) -> None:
    """Makes steps return vectors of length 1 instead of scalars.

    On several workers, Keras 3.15 averages the results of steps over their first axis, which
    scalars do not have.
    """
    for name in ("train_step", "test_step"):
        if name not in vars(model):
            setattr(model, name, _vectors(getattr(model, name)))


def _vectors(step: Callable) -> Callable:
    return lambda data: {name: tf.reshape(value, (1,)) for name, value in step(data).items()}
