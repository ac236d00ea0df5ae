"""Architectures: functions that return plain functional `keras.Model`s. Keras and NumPy only."""
