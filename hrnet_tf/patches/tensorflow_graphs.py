"""Less work for TensorFlow's optimizer of graphs, which needs seconds for the step of an HRNet.

TensorFlow has public switches for single optimizations, but none for the second round over the
whole graph, which changes nothing in a training step (10,056 nodes before and after), and for the
memory optimization, which took a fifth of the time and split sums to save a few MB.
"""

import contextlib
from collections.abc import Iterator

import tensorflow as tf
from tensorflow.core.protobuf import config_pb2
from tensorflow.core.protobuf.rewriter_config_pb2 import RewriterConfig
from tensorflow.python.eager import context


@contextlib.contextmanager
def optimized_once() -> Iterator[None]:
    """Inside, graphs of functions that run for the first time are optimized in one round.

    All calls of such a function must be made inside, since TensorFlow prepares it anew for calls
    with other options. With GPUs nothing changes: there, layouts and memory matter.
    """
    here = context.context()
    kept = here.function_call_options
    if tf.config.list_physical_devices("GPU"):
        yield
        return
    config = config_pb2.ConfigProto.FromString(kept.config_proto_serialized)
    rewriting = config.graph_options.rewrite_options
    rewriting.meta_optimizer_iterations = RewriterConfig.ONE
    rewriting.memory_optimization = RewriterConfig.NO_MEM_OPT
    rewriting.layout_optimizer = RewriterConfig.OFF  # moves channels for GPUs
    here.function_call_options = context.FunctionCallOptions(kept.executor_type, config)
    try:
        yield
    finally:
        here.function_call_options = kept
