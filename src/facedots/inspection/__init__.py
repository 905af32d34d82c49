"""The inside of a network: kernels, feature maps, frequency responses."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
