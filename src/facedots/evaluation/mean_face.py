"""The average face, put into each box: what a network must be better than."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from facedots.annotations.base import FaceAnnotation
from facedots.errors import DataError
from facedots.evaluation.metrics import known_mean, nme
from facedots.evaluation.result import Evaluation
from facedots.geometry import CropSpec, Floats, spans_box, tight_boxes
from facedots.io.images import read_image
from facedots.uncertainty import Doubles

_MEAN_SHAPE_FACES = 500


def mean_face_errors(
    train: Sequence[FaceAnnotation], crop_spec: CropSpec, evaluation: Evaluation
) -> Doubles | None:
    """The NME ``(N,)`` of the mean face; None where no face to take it of has points."""
    if not any(spans_box(face.points) for face in train):
        return None
    mean_face = place_shape(mean_shape(train, crop_spec), evaluation.squares)
    return nme(mean_face, evaluation.true, evaluation.schema)


def mean_shape(annotations: Sequence[FaceAnnotation], crop_spec: CropSpec) -> Floats:
    """A baseline: the mean face ``float32 (K, 2)`` of a training set (at most 500 faces, evenly
    spaced) relative to the center of the network's square, in sides of it. Faces whose points span
    no box are left out.

    Raises:
        DataError: There is no other.
        ImageError: An image cannot be read; they are only with the mode ``"frame"``.
    """
    faces = [face for face in annotations if spans_box(face.points)]
    if not faces:
        raise DataError("no training faces to take the mean shape of")
    count = min(_MEAN_SHAPE_FACES, len(faces))
    shapes = []
    for i in np.linspace(0, len(faces) - 1, count).astype(int):
        face, size = faces[i], (1, 1)
        if crop_spec.mode == "frame":
            height, width, _ = read_image(face.image, orient=False).shape
            size = (height, width)
        square = crop_spec.crop_squares(tight_boxes(face.points[None]), size)[0]
        shapes.append((face.points - square[:2]) / square[2])
    return known_mean(shapes, axis=0).astype(np.float32)


def place_shape(shape: ArrayLike, squares: ArrayLike) -> Floats:
    """Put a :func:`mean_shape` into squares ``(N, 3)``, center x, center y, side in pixels: points
    ``float32 (N, K, 2)``.

    >>> place_shape([[-0.5, 0], [0.25, 0.5]], [[10, 20, 4]]).tolist()
    [[[8.0, 20.0], [11.0, 22.0]]]
    """
    square = np.asarray(squares, np.float64)[:, None]
    points = square[..., :2] + np.asarray(shape, np.float64) * square[..., 2:]
    return points.astype(np.float32)
