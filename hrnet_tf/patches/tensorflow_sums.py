"""Sums in the order of the graph, which TensorFlow 2.21's deterministic operations do not promise.

`AddN` adds into the first of its inputs whose memory nobody else needs any more, and moves that
one to the front. Which one it is depends on which other operations have ended by then, and so do
the last bits of a sum of three or more. `enable_op_determinism` does not change that: the gradients
of a map that six operations read had two values, each in half of the steps.
"""

from functools import reduce

import tensorflow as tf
from tensorflow.python import pywrap_tfe
from tensorflow.python.eager import backprop


def sum_in_order() -> None:
    """From now on, sums have no more than two summands, in the steps that are traced after this.

    The optimizer of graphs would make `AddN` of them again, so its arithmetic is turned off.
    """
    space = backprop._default_vspace._replace(aggregate_fn=_total)
    pywrap_tfe.TFE_Py_RegisterVSpace(space)
    tf.config.optimizer.set_experimental_options({"arithmetic_optimization": False})


def _total(gradients):
    """The sum of the gradients that a tensor gets from the operations that read it."""
    if all(isinstance(each, tf.Tensor) for each in gradients):
        return reduce(tf.add, gradients)
    return backprop._aggregate_grads(gradients)
