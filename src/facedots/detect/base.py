"""What all face detectors share: the protocol, and the step from a detector's own box to the tight box around the keypoints."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike

from facedots.geometry import Floats, check_shape
from facedots.types import Detections
from facedots.warp import Image


class Detector(Protocol):
    """Finds the faces in a picture: ``detector(image) -> Detections``, boxes tight around the keypoints, best first."""

    def __call__(self, image: Image) -> Detections:
        """The faces in an RGB picture ``uint8 (H, W, 3)``; none found is an empty result."""
        ...


@dataclass(frozen=True)
class Adjustment:
    """How the tight box around the keypoints lies relative to the box that a detector draws.

    Each edge moves by a fraction of the side of the detector's box (left, right: of its width; top, bottom: of its height);
    positive is to the right and down. ``benchmarks/detectors.py`` measures the fractions as medians over labelled frames.
    """

    left: float
    top: float
    right: float
    bottom: float

    def tight(self, boxes: ArrayLike) -> Floats:
        """The tight boxes ``float32 (N, 4)`` for a detector's boxes (N, 4).

        >>> Adjustment(left=-0.1, top=0.25, right=0.1, bottom=0.0).tight([[0, 0, 10, 20]]).tolist()
        [[-1.0, 5.0, 11.0, 20.0]]
        """
        given = np.asarray(check_shape(boxes, "N 4", "boxes"), np.float64)
        sides = np.tile(given[:, 2:] - given[:, :2], 2)
        return np.asarray(given + sides * (self.left, self.top, self.right, self.bottom), np.float32)

    @classmethod
    def between(cls, detected: ArrayLike, tight: ArrayLike) -> "Adjustment":
        """The adjustment that takes detected boxes (N, 4) to tight boxes (N, 4): the median over the pairs.

        >>> Adjustment.between([[0, 0, 10, 20]], [[-1, 5, 11, 20]])
        Adjustment(left=-0.1, top=0.25, right=0.1, bottom=0.0)
        """
        given = np.asarray(check_shape(detected, "N 4", "detected"), np.float64)
        sides = np.tile(given[:, 2:] - given[:, :2], 2)
        left, top, right, bottom = np.median((np.asarray(tight, np.float64) - given) / sides, axis=0).tolist()
        return cls(left, top, right, bottom)
