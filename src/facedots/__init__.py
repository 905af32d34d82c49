"""Finds the keypoints of a human face."""
