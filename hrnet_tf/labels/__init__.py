"""Keypoints and classes that the channels of a network stand for, as data without Keras."""
