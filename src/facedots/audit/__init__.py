"""Audit of keypoint data sets: duplicates, leaks between subsets, wrong labels, coverage."""

from facedots.errors import lazy_surface

__getattr__, __dir__, __all__ = lazy_surface(__name__, __file__)
