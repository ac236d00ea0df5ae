"""Recipes of classification networks."""
