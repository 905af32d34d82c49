"""Annotated pictures for training and testing. Needs the extra ``facedots[train]``."""
