"""Annotated images for training and testing. Needs the extra ``facedots[train]``."""
