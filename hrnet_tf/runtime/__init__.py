"""Networks as functions of arrays: Keras models and converted files."""
