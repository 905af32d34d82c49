"""A mesh over the face: fixed triangles between its keypoints, a mean shape to lay textures out on,
and the wireframe.
"""

from collections.abc import Sequence
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from facedots.analysis.shapes import MEAN_SHAPE, TRIANGLES, Triangles
from facedots.drawing import Color, draw_line
from facedots.errors import PointsError
from facedots.geometry import Floats, Image, Matrix, check_shape
from facedots.schema import IBUG68
from facedots.types import Face, check_image


def triangulate(points: ArrayLike) -> Triangles:
    """The Delaunay triangulation ``int32 (m, 3)`` of points (n, 2), clockwise as seen (y down).

    Raises:
        PointsError: A point is missing, or there are fewer than three.

    >>> triangulate([[0, 0], [4, 0], [0, 3]]).tolist()
    [[0, 1, 2]]
    """
    given = np.asarray(check_shape(points, "N 2", "points"), np.float64)
    if len(given) < 3 or not np.isfinite(given).all():
        raise PointsError("a triangulation needs three points or more, none of them missing")
    # OpenCV only takes a rectangle of whole numbers, so the points are brought to one scale; its
    # own corners, which a near rectangle would let cut slivers off the hull, lie far away.
    scaled = (given - given.min(axis=0)) / max(float(np.ptp(given, axis=0).max()), 1e-9) * 1000
    plane = cv2.Subdiv2D((-10_000, -10_000, 21_000, 21_000))
    for x, y in scaled.tolist():
        plane.insert((x, y))
    corners = np.asarray(plane.getTriangleList(), np.float64).reshape(-1, 3, 2)
    gaps = np.linalg.norm(corners[:, :, None] - scaled, axis=-1)
    real = (gaps.min(axis=2) < 0.01).all(axis=1)
    found = np.sort(gaps[real].argmin(axis=2), axis=1)
    turned = signed_areas(scaled, found) < 0
    found[turned] = found[turned][:, [0, 2, 1]]
    return np.asarray(found[np.lexsort(found.T[::-1])], np.int32)


def signed_areas(points: ArrayLike, triangles: NDArray[np.integer]) -> Matrix:
    """The area of each triangle (m,) in square pixels; negative where it is seen from behind.

    >>> signed_areas([[0, 0], [4, 0], [0, 3]], np.array([[0, 1, 2], [0, 2, 1]])).tolist()
    [6.0, -6.0]
    """
    a, b, c = np.moveaxis(np.asarray(points, np.float64)[triangles], 1, 0)
    (ux, uy), (vx, vy) = (b - a).T, (c - a).T
    return np.asarray((ux * vy - uy * vx) / 2)


def mesh_points(face: Face) -> Floats:
    """The points ``float32 (K, 2)`` of a face that the mesh fits: all of IBUG68, none missing.

    Raises:
        PointsError: The face follows another schema, or points are missing.
    """
    if face.schema != IBUG68:
        raise PointsError(
            f"this needs the points of {IBUG68.name}, and the face has those of {face.schema.name}"
        )
    missing = np.flatnonzero(~np.isfinite(face.points).all(axis=1)).tolist()
    if missing:
        raise PointsError(f"points {missing} of the face are missing, and this needs all of them")
    return face.points


def fit_shape(shape: ArrayLike, points: ArrayLike) -> Matrix:
    """The affine map ``(2, 3)`` that takes ``shape`` (n, 2) closest to ``points`` (n, 2), pairs
    with a missing point left out.

    A face's own shape stays out of it, how the head is turned goes in: a plane that is turned away
    is squeezed.

    Raises:
        PointsError: Fewer than three pairs are left, or they lie on a line.
    """
    start, end = np.asarray(shape, np.float64), np.asarray(points, np.float64)
    known = np.isfinite(start).all(axis=1) & np.isfinite(end).all(axis=1)
    design = np.column_stack([start[known], np.ones(known.sum())])
    solution, _, rank, _ = np.linalg.lstsq(design, end[known])
    if rank < 3:
        raise PointsError(
            f"{known.sum()} known points, or points on a line, do not say how a face lies"
        )
    return np.asarray(solution.T)


def forehead(points: ArrayLike, top: float = 0.95) -> Floats:
    """Where the forehead of a face is expected: ``float32 (9, 2)``, an arc from the subject's right
    temple to the left one.

    No keypoint lies there, so the arc is that of :data:`MEAN_SHAPE`, moved and squeezed as the
    face's points say.

    Args:
        points: The points of one face (K, 2), pixels.
        top: How high above the eyes the arc reaches, in outer-eye distances; 0.95 is a hairline,
            0.45 just above the brows.

    Raises:
        PointsError: Too few points are known.
    """
    given = np.asarray(check_shape(points, f"{IBUG68.count} 2", "points"), np.float64)
    turn = fit_shape(MEAN_SHAPE, given)
    return np.asarray(_arc(top) @ turn[:, :2].T + turn[:, 2], np.float32)


@lru_cache
def _arc(top: float) -> Matrix:
    """The forehead of the mean shape (9, 2)."""
    angle = np.linspace(np.pi, 0, 11)[1:-1]
    return np.stack([0.86 * np.cos(angle), -top * np.sin(angle) ** 0.7], axis=1)


class Mesh:
    """The wireframe over every face.

    Args:
        color: RGB.
        opacity: In [0, 1].
    """

    def __init__(self, color: Color = (120, 255, 220), opacity: float = 0.7) -> None:
        self._color = color
        self._opacity = opacity

    def __call__(self, image: Image, faces: Sequence[Face]) -> Image:
        """A copy of the RGB image with the meshes on it; edges that end in a missing point are left
        out.
        """
        lines = np.array(check_image(image))
        for face in faces:
            draw_mesh(lines, face.points, self._color)
        return np.asarray(
            cv2.addWeighted(lines, self._opacity, image, 1 - self._opacity, 0), np.uint8
        )


def draw_mesh(image: Image, points: ArrayLike, color: Color) -> None:
    """Draw the wireframe of one face onto the image itself; lines grow with the face."""
    given = np.asarray(check_shape(points, f"{IBUG68.count} 2", "points"), np.float32)
    known = given[np.isfinite(given).all(axis=1)]
    width = max(1, round(float(np.ptp(known, axis=0).max()) / 250)) if len(known) else 1
    for edge in mesh_edges():
        ends = given[edge]
        if np.isfinite(ends).all():
            draw_line(image, ends, color, width)


@lru_cache
def mesh_edges() -> NDArray[np.int32]:
    """Every edge of :data:`TRIANGLES` once: ``int32 (e, 2)``."""
    pairs = np.concatenate([TRIANGLES[:, [0, 1]], TRIANGLES[:, [1, 2]], TRIANGLES[:, [2, 0]]])
    return np.unique(np.sort(pairs, axis=1), axis=0)
