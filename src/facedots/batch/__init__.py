"""Many images in one call, and collections of any size cut into parts for many processes."""

from facedots.errors import lazy_surface

__getattr__, __dir__, __all__ = lazy_surface(__name__, __file__)
