"""Reads pictures and videos into arrays, and writes them."""
