"""Networks in use: ONNX Runtime, no torch."""

from facedots.errors import lazy_surface

__getattr__, __dir__, __all__ = lazy_surface(__name__, __file__)
