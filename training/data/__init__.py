"""Annotated images in the `tf.data` graph, whatever they are annotated with."""
