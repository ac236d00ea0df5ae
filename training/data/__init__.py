"""Annotated images in the `tf.data` graph, independent of the kind of annotations."""
