"""The floor to read scores against: always the same mean face, put where the network looks."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from facedots.annotations.base import FaceAnnotation
from facedots.errors import DataError
from facedots.geometry import CropSpec, Floats, tight_boxes
from facedots.io.images import read_image


def mean_shape(
    annotations: Sequence[FaceAnnotation], crop_spec: CropSpec, most: int = 500
) -> Floats:
    """The mean face ``float32 (K, 2)`` of a training set, in parts of the square that a network
    sees, from its center.

    Args:
        annotations: The training set.
        crop_spec: Decides the square.
        most: At most that many faces, spread evenly over the list, are looked at: a mean needs no
            more.

    Raises:
        DataError: There is no annotation.
        ImageError: An image is needed for its size and cannot be read; only with the framing
            ``"frame"``.
    """
    if not annotations:
        raise DataError("no training faces to take the mean shape of")
    chosen = [
        annotations[i]
        for i in np.linspace(0, len(annotations) - 1, min(most, len(annotations))).astype(int)
    ]
    shapes = []
    for annotation in chosen:
        size = (
            read_image(annotation.image, orient=False).shape
            if crop_spec.mode == "frame"
            else (1, 1)
        )
        square = crop_spec.crop_squares(tight_boxes(annotation.points[None]), (size[0], size[1]))[0]
        shapes.append((annotation.points - square[:2]) / square[2])
    return np.asarray(np.nanmean(shapes, axis=0), np.float32)


def place_shape(shape: ArrayLike, squares: ArrayLike) -> Floats:
    """The points ``float32 (N, K, 2)`` where a :func:`mean_shape` lies in squares ``(N, 3)``:
    center x, center y, side in pixels.

    >>> place_shape([[-0.5, 0], [0.25, 0.5]], [[10, 20, 4]]).tolist()
    [[[8.0, 20.0], [11.0, 22.0]]]
    """
    where = np.asarray(squares, np.float64)[:, None]
    return np.asarray(where[..., :2] + np.asarray(shape, np.float64) * where[..., 2:], np.float32)
