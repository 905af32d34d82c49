"""Can a keypoint data set be trusted? Duplicates, leaks, wrong, swapped and displaced labels, gaps
in what is covered.
"""

from facedots.errors import lazy_surface

__getattr__, __dir__, __all__ = lazy_surface(__name__, __file__)
