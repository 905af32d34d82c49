"""The inside of a network: kernels, feature maps, frequency responses."""

from facedots.errors import lazy_surface

__getattr__, __dir__, __all__ = lazy_surface(__name__, __file__)
