"""Folders of pictures, for any task."""
