"""The order of sums is that of the graph: the same bits in each run."""

import pytest
import tensorflow as tf
from tensorflow.python import pywrap_tfe
from tensorflow.python.eager import backprop, context

from hrnet_tf.patches.tensorflow_sums import sum_in_order


@pytest.fixture
def in_order():
    yield sum_in_order
    pywrap_tfe.TFE_Py_RegisterVSpace(backprop._default_vspace)
    tf.config.optimizer.set_experimental_options({"arithmetic_optimization": True})


def summands():
    """The numbers of summands in the optimized graph of a step, and its gradient."""

    @tf.function
    def step(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = tf.sin(x) + tf.cos(x) + tf.exp(x)
            loss = tf.reduce_sum(tf.square(y))
        return tape.gradient(loss, x)

    context.enable_run_metadata()
    found = step(tf.ones((4, 4)))
    graphs = context.export_run_metadata().function_graphs
    context.disable_run_metadata()
    nodes = [node for graph in graphs for node in graph.post_optimization_graph.node]
    return [len(node.input) for node in nodes if node.op.startswith("Add")], found


def test_no_sum_has_more_than_two_summands(in_order):
    """A sum of three starts with any of them; this fails when the patch is needed no more."""
    before, wanted = summands()
    assert max(before) == 3
    in_order()
    after, found = summands()
    assert len(after) > 2 and set(after) == {2}
    tf.debugging.assert_near(found, wanted, 1e-6, 1e-6)
