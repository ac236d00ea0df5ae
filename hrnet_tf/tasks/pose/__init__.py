"""Keypoints of people, animals, faces and hands, one box at a time."""
