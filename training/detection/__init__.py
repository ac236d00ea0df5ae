"""Evaluation of detectors."""
