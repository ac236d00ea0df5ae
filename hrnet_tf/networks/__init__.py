"""Architectures as functions that return plain functional `keras.Model`s. Keras and NumPy alone."""
