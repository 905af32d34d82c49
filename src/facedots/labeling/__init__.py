"""Predictions for annotation tools, and corrections back."""
