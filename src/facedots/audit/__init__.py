"""Can a keypoint data set be trusted? Duplicates, leaks, wrong, swapped and displaced labels, gaps
in what is covered.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
