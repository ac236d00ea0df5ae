"""Synthetic drawings of people with the 17 COCO joints, to try training without a download."""
