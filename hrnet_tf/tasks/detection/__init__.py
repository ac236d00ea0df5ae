"""Boxes around people in pictures: detectors, and files of boxes."""
