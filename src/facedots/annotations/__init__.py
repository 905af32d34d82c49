"""Annotated images from files of every supported format."""
