"""Finds the keypoints of a human face.

>>> import facedots
>>> pipeline = facedots.Pipeline()                              # doctest: +SKIP
>>> faces = pipeline(facedots.read_image("portrait.jpg"))       # doctest: +SKIP
>>> faces[0].region("left_eye")                                 # doctest: +SKIP

The public names stand in ``__init__.pyi`` and are loaded when they are first used, so that
``import facedots`` is quick. Each package has a surface of its own, as in :mod:`facedots.data`.

Importing facedots switches ONNX Runtime's usage reports off; see :mod:`facedots.runtime`.
"""

from facedots.errors import lazy_surface
from facedots.runtime import disable_telemetry

disable_telemetry()

__version__ = "0.1.0"
__getattr__, __dir__, __all__ = lazy_surface(__name__, __file__)
