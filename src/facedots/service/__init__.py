"""Faces over HTTP: the application, its limits, and the processes that run it."""

from facedots.errors import lazy_surface

__getattr__, __dir__, __all__ = lazy_surface(__name__, __file__)
