"""Graphs that are optimized in one round."""

import tensorflow as tf
from tensorflow.core.protobuf import config_pb2
from tensorflow.core.protobuf.rewriter_config_pb2 import RewriterConfig
from tensorflow.python.eager import context

from hrnet_tf.patches.tensorflow_graphs import optimized_once


def rewriting():
    text = context.context().function_call_options.config_proto_serialized
    return config_pb2.ConfigProto.FromString(text).graph_options.rewrite_options


def test_the_options_are_set_inside_only_and_keep_what_was_turned_off():
    tf.config.optimizer.set_experimental_options({"arithmetic_optimization": False})
    try:
        before = rewriting()
        with optimized_once():
            inside = rewriting()
        assert rewriting() == before
    finally:
        tf.config.optimizer.set_experimental_options({"arithmetic_optimization": True})
    assert inside.meta_optimizer_iterations == RewriterConfig.ONE
    assert inside.memory_optimization == RewriterConfig.NO_MEM_OPT
    assert inside.arithmetic_optimization == RewriterConfig.OFF
