"""Layers and operations of Keras as nodes."""
