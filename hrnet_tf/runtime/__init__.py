"""Networks as functions of arrays: Keras models and converted files."""

PRECISIONS = ("float32", "bfloat16")  # in which a Keras network may compute its convolutions
