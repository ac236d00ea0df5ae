"""Recipes of segmentation networks."""
