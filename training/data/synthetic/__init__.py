"""Drawings of people with joints, and of shapes, to try training without a download."""
