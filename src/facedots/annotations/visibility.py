"""Which labeled points are seen; apart from the transforms, so that nothing needs torch for it."""

import numpy as np

from facedots.annotations.base import FaceAnnotation
from facedots.geometry import Floats, is_inside


def seen_points(face: FaceAnnotation, height: int, width: int) -> Floats:
    """Which points of a face are seen in its image, of this size, ``float32 (K,)``: ``visible``,
    else 1 where they are labeled, 0 outside the image, NaN without a label.
    """
    if face.visible is not None:
        return face.visible.copy()
    inside = is_inside(face.points, height, width)
    return np.where(np.isnan(face.points).any(axis=1), np.nan, inside).astype(np.float32)
