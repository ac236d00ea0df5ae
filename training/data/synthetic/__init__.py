"""Drawn people with the 17 COCO joints, so that training can be tried without a download."""
