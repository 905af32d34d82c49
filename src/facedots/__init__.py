"""Finds the keypoints of a human face.

>>> import facedots
>>> pipeline = facedots.Pipeline()                              # doctest: +SKIP
>>> faces = pipeline(facedots.read_image("portrait.jpg"))       # doctest: +SKIP
>>> faces[0].region("left_eye")                                 # doctest: +SKIP

The names below are loaded when they are first used, so that ``import facedots`` is quick.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from facedots.detection.base import Detector, PrecomputedBoxes
    from facedots.detection.haar import Haar
    from facedots.detection.retinaface import RetinaFace
    from facedots.detection.yunet import YuNet
    from facedots.errors import FacedotsError
    from facedots.geometry import CropSpec
    from facedots.inference.predictor import KeypointPredictor
    from facedots.inference.weights import WEIGHTS
    from facedots.io.images import read_image, write_image
    from facedots.pipeline import Pipeline
    from facedots.plots.draw import draw_faces, draw_keypoints
    from facedots.schema import IBUG68, KeypointSchema
    from facedots.spec import ModelSpec
    from facedots.types import Detections, Face, Keypoints

__version__ = "0.1.0"

_HOMES = {
    "Detections": "types",
    "Detector": "detection.base",
    "Face": "types",
    "FacedotsError": "errors",
    "CropSpec": "geometry",
    "PrecomputedBoxes": "detection.base",
    "Haar": "detection.haar",
    "IBUG68": "schema",
    "KeypointSchema": "schema",
    "KeypointPredictor": "inference.predictor",
    "Keypoints": "types",
    "ModelSpec": "spec",
    "Pipeline": "pipeline",
    "RetinaFace": "detection.retinaface",
    "WEIGHTS": "inference.weights",
    "YuNet": "detection.yunet",
    "draw_faces": "plots.draw",
    "draw_keypoints": "plots.draw",
    "read_image": "io.images",
    "write_image": "io.images",
}

__all__ = [
    "IBUG68",
    "WEIGHTS",
    "CropSpec",
    "Detections",
    "Detector",
    "Face",
    "FacedotsError",
    "Haar",
    "KeypointPredictor",
    "KeypointSchema",
    "Keypoints",
    "ModelSpec",
    "Pipeline",
    "PrecomputedBoxes",
    "RetinaFace",
    "YuNet",
    "draw_faces",
    "draw_keypoints",
    "read_image",
    "write_image",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'facedots' has no attribute '{name}'")
    value = getattr(import_module(f"facedots.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
