"""Boxes around things in pictures, people above all."""
