"""Metrics of segmentation networks."""
