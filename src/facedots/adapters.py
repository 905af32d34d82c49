"""Faces as values of other libraries, and those of other libraries as faces.

supervision and pandas are imported by the functions that need them: ``pip install
'facedots[adapters]'``. Pixels stay as they are: (0, 0) is the center of the top-left one.
"""

import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from facedots.errors import ShapeError, explain_missing_extra
from facedots.geometry import Floats, tight_boxes
from facedots.io.results import FaceColumns, filled_columns, table_rows
from facedots.schema import IBUG68, KeypointSchema
from facedots.types import Face, ImageResult, Keypoints

if TYPE_CHECKING:
    from pandas import DataFrame
    from supervision import KeyPoints


def to_supervision(faces: Sequence[Face], schema: KeypointSchema = IBUG68) -> "KeyPoints":
    """The faces of an image as :class:`supervision.KeyPoints`.

    ``keypoint_confidence`` and ``detection_confidence`` are the face's ``confidence`` and
    ``score``, ``class_id`` is 0, and ``data["covariance"]``, ``float32 (N, K, 2, 2)``, is what
    supervision's ``VertexEllipse…Annotator`` draw. Where the network predicts no covariance, it
    and the points' confidence are left out. ``.as_detections()`` gives the tight boxes. Without a
    face all arrays are there, of length 0 with the K points of ``schema``.

    Example:
        >>> key_points = to_supervision(faces)  # doctest: +SKIP
        >>> supervision.VertexEllipseHaloAnnotator().annotate(image, key_points)  # doctest: +SKIP
    """
    with explain_missing_extra():
        from supervision import KeyPoints
    count = faces[0].schema.count if faces else schema.count
    points = np.array([face.points for face in faces], np.float32)
    covariance = np.array([face.covariance for face in faces], np.float32)
    covariance = covariance.reshape(-1, count, 2, 2)
    confidence = np.array([face.confidence for face in faces], np.float32).reshape(-1, count)
    is_known = not faces or np.isfinite(covariance).any()
    return KeyPoints(
        xy=points.reshape(-1, count, 2),
        class_id=np.zeros(len(faces), int),
        keypoint_confidence=confidence if is_known else None,
        detection_confidence=np.array([face.score for face in faces], np.float32),
        data={"covariance": covariance} if is_known else {},
    )


def from_supervision(key_points: "KeyPoints", schema: KeypointSchema = IBUG68) -> list[Face]:
    """The faces of :class:`supervision.KeyPoints`, each with the tight box around its points.

    Points at (0, 0), supervision's mark of a missing one, become NaN. The score is the
    ``detection_confidence``, else the mean of ``keypoint_confidence``, else 1.

    Raises:
        ShapeError: There are not as many points as in the schema.
    """
    if not len(key_points):
        return []
    points = np.array(key_points.xy, np.float32)
    count = points.shape[1]
    if count != schema.count:
        raise ShapeError(f"{count} points, but the schema {schema.name} has {schema.count}")
    points[(points == 0).all(axis=-1)] = np.nan
    unknown = np.full((*points.shape, 2), np.nan, np.float32)
    covariance = np.asarray(key_points.data.get("covariance", unknown), np.float32)
    confidence, score = unknown[..., 0, 0], np.ones(len(points), np.float32)
    if key_points.keypoint_confidence is not None:
        confidence = np.asarray(key_points.keypoint_confidence, np.float32)
        score = confidence.mean(axis=1)
    if key_points.detection_confidence is not None:
        score = np.asarray(key_points.detection_confidence, np.float32)
    return Keypoints(points, covariance, confidence, score, schema).faces(tight_boxes(points))


def to_pandas(
    results: Iterable[ImageResult], schema: KeypointSchema, columns: FaceColumns | None = None
) -> "DataFrame":
    """A table with a row per face, in the columns and with the numbers of
    :func:`facedots.to_csv <facedots.io.results.to_csv>`, which see for the errors; what is missing
    is NaN.
    """
    with explain_missing_extra():
        from pandas import DataFrame
    results = list(results)
    columns = columns or filled_columns(results, schema)
    rows = [
        [math.nan if value is None else value for value in row]
        for frame, result in enumerate(results, start=1)
        for row in table_rows(columns, frame, result)
    ]
    return DataFrame(rows, columns=columns.names)


_MEDIAPIPE_POINTS = Path(__file__).with_name("assets") / "mediapipe_points.csv"
_MESH_VERTICES = 468


def from_mediapipe(landmarks: Any, width: int, height: int) -> Floats:
    """The 68 points ``float32 (68, 2)`` in pixels, from the 468 or 478 vertices of MediaPipe's
    FaceMesh or FaceLandmarker.

    Each point lies on the line through two vertices, as fitted to 300-W's labels by
    ``tools/fit_mediapipe_points.py``; docs/how-to/migrate.md has the errors. MediaPipe's (0, 0) is
    the corner of the image, half a pixel left of and above ours.

    Args:
        landmarks: Of one face: ``multi_face_landmarks[i]`` of FaceMesh, ``face_landmarks[i]`` of
            FaceLandmarker, or an array (N, 2 or more) of the same x and y in [0, 1].
        width: Of the image in pixels.
        height: Of the image in pixels.

    Raises:
        ShapeError: Not a list of at least 468 vertices.
    """
    vertices = getattr(landmarks, "landmark", landmarks)
    if not isinstance(vertices, np.ndarray):
        vertices = np.array([(vertex.x, vertex.y) for vertex in vertices])
    if vertices.ndim != 2 or len(vertices) < _MESH_VERTICES or vertices.shape[1] < 2:
        raise ShapeError(
            f"landmarks: expected one face's {_MESH_VERTICES} vertices or more with x and y, not "
            f"{vertices.shape}"
        )
    table = np.loadtxt(_MEDIAPIPE_POINTS, delimiter=",", skiprows=1)
    first, second = vertices[table[:, :2].astype(int).T, :2] * (width, height) - 0.5
    return np.asarray(first + table[:, 2:] * (second - first), np.float32)
