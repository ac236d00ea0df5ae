"""Pictures in the graph of TensorFlow, for `tf.data` and for whole pipelines."""
