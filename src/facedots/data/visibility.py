"""Which labeled points are seen; apart from the transforms, so that evaluation needs no torch."""

import numpy as np
from numpy.typing import NDArray

from facedots.annotations.base import FaceAnnotation
from facedots.geometry import Floats


def is_inside(points: Floats, height: int, width: int) -> NDArray[np.bool_]:
    """Which of the points ``(K, 2)`` lie on a pixel of an image of this size.

    >>> is_inside(np.array([[-0.5, 0], [9.5, 0]]), 5, 10).tolist()
    [True, False]
    """
    inside = (points >= -0.5) & (points < np.array([width - 0.5, height - 0.5]))
    return np.asarray(inside.all(axis=1))


def seen_points(face: FaceAnnotation, height: int, width: int) -> Floats:
    """Which points of a face are seen in its image, of this size, ``float32 (K,)``: ``visible``,
    else 1 where they are labeled, 0 outside the image, NaN without a label.
    """
    if face.visible is not None:
        return face.visible.copy()
    inside = is_inside(face.points, height, width)
    return np.where(np.isnan(face.points).any(axis=1), np.nan, inside).astype(np.float32)
