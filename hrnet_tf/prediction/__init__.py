"""Predicts folders of pictures, for any task."""
