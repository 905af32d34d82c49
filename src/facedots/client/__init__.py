"""A service of ``facedots serve``, used from Python: blocking and asynchronous."""

from facedots.errors import lazy_surface

__getattr__, __dir__, __all__ = lazy_surface(__name__, __file__)
