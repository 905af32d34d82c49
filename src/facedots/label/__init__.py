"""Corrections by people: which faces to look at first, and what was changed."""
