"""The triangle mesh of the keypoints: triangulation, fit of the mean shape, forehead, wireframe."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from facedots.analysis.shapes import MEAN_SHAPE, TRIANGLES, Triangles
from facedots.drawing import Color, draw_line
from facedots.errors import PointsError
from facedots.geometry import Floats, Image, Matrix, apply_affine, check_shape
from facedots.schema import IBUG68
from facedots.types import Face, check_image


def triangulate(points: ArrayLike) -> Triangles:
    """The Delaunay triangulation ``int32 (M, 3)`` of points (N, 2), clockwise in an image.

    Raises:
        PointsError: A point is missing, or there are fewer than three.

    >>> triangulate([[0, 0], [4, 0], [0, 3]]).tolist()
    [[0, 1, 2]]
    """
    points = np.asarray(check_shape(points, "N 2", "points"), np.float64)
    if len(points) < 3 or not np.isfinite(points).all():
        raise PointsError("a triangulation needs three points or more, none of them missing")
    # OpenCV takes an integer rectangle only, so the points are scaled into one. Its own corners
    # lie far away: near ones would cut slivers off the hull.
    scaled = (points - points.min(axis=0)) / max(float(np.ptp(points, axis=0).max()), 1e-9) * 1000
    plane = cv2.Subdiv2D((-10_000, -10_000, 21_000, 21_000))
    for x, y in scaled.tolist():
        plane.insert((x, y))
    corners = np.asarray(plane.getTriangleList(), np.float64).reshape(-1, 3, 2)
    gaps = np.linalg.norm(corners[:, :, None] - scaled, axis=-1)
    real = (gaps.min(axis=2) < 0.01).all(axis=1)
    triangles = np.sort(gaps[real].argmin(axis=2), axis=1)
    turned = signed_areas(scaled, triangles) < 0
    triangles[turned] = triangles[turned][:, [0, 2, 1]]
    return np.asarray(triangles[np.lexsort(triangles.T[::-1])], np.int32)


def signed_areas(points: ArrayLike, triangles: NDArray[np.integer]) -> Matrix:
    """The area of each triangle (M,) in square pixels; negative where it is seen from behind.

    >>> signed_areas([[0, 0], [4, 0], [0, 3]], np.array([[0, 1, 2], [0, 2, 1]])).tolist()
    [6.0, -6.0]
    """
    a, b, c = np.moveaxis(np.asarray(points, np.float64)[triangles], 1, 0)
    (ux, uy), (vx, vy) = (b - a).T, (c - a).T
    return np.asarray((ux * vy - uy * vx) / 2)


def mesh_points(face: Face) -> Floats:
    """The points ``float32 (68, 2)`` of a face, if all of IBUG68 are there.

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
    """The least-squares affine map ``(2, 3)`` from ``shape`` (N, 2) to ``points`` (N, 2).

    Pairs with a missing point are left out. The map holds how the head is turned (a plane turned
    away is squeezed), not the face's own shape.

    Raises:
        PointsError: Fewer than three pairs are left, or they lie on a line.
    """
    start, end = np.asarray(shape, np.float64), np.asarray(points, np.float64)
    valid = np.isfinite(start).all(axis=1) & np.isfinite(end).all(axis=1)
    design = np.column_stack([start[valid], np.ones(valid.sum())])
    solution, _, rank, _ = np.linalg.lstsq(design, end[valid])
    if rank < 3:
        raise PointsError(
            f"{valid.sum()} known points, or points on a line, do not say how a face lies"
        )
    return np.asarray(solution.T)


MIN_SQUEEZE, MAX_MISFIT = 0.5, 0.3
"""Limits of a plausible face: how much turning the head may squeeze the mean shape, and the RMS
distance from it in outer-eye distances. See docs/experiments.md.
"""


@dataclass(frozen=True)
class ShapeFit:
    """How points lie relative to the mean face, turned as they are.

    Attributes:
        residuals: ``float64 (68, 2)``, off the places in the mean face, in outer-eye distances.
        turn: Tilt of the face in degrees, clockwise as seen.
        squeeze: Smaller over larger scale of the map.
        misfit: Root mean square distance from the map's face, in outer-eye distances.
        mirrored: The map mirrors.
    """

    residuals: Matrix
    turn: float
    squeeze: float
    misfit: float
    mirrored: bool

    @property
    def plausible(self) -> bool:
        """Whether the points are the mean face, turned as a head can be, and little else."""
        return not self.mirrored and self.near

    @property
    def near(self) -> bool:
        """The same of the points or of their mirror image."""
        return self.squeeze >= MIN_SQUEEZE and self.misfit <= MAX_MISFIT


def compare_shape(points: ArrayLike) -> ShapeFit | None:
    """Compare the points ``(68, 2)`` of a face with the mean face; ``None`` where they decide
    nothing: they are too few, or lie on a line.

    >>> compare_shape(MEAN_SHAPE * 100 + 50).plausible
    True
    >>> compare_shape(MEAN_SHAPE * (-100, 100)).plausible  # mirrored
    False
    """
    face = np.asarray(points, np.float64)
    try:
        turn = fit_shape(MEAN_SHAPE, face)
    except PointsError:
        return None
    linear = turn[:, :2]
    unit, squeezed = np.linalg.svd(linear, compute_uv=False).tolist()
    if not squeezed > 1e-9 * unit:
        return None
    offsets = face - apply_affine(turn, MEAN_SHAPE)
    return ShapeFit(
        residuals=offsets @ np.linalg.inv(linear).T,
        turn=float(np.degrees(np.arctan2(linear[1, 0], linear[0, 0]))),
        squeeze=squeezed / unit,
        misfit=float(np.sqrt(np.nanmean((offsets**2).sum(axis=1)))) / unit,
        mirrored=bool(np.linalg.det(linear) < 0),
    )


def forehead(points: ArrayLike, top: float = 0.95) -> Floats:
    """The expected forehead, ``float32 (9, 2)``: an arc from the right temple to the left.

    No keypoint lies there: the arc is that of :data:`~facedots.analysis.shapes.MEAN_SHAPE`, fitted
    to the face.

    Args:
        points: Points of one face (68, 2), pixels.
        top: Height of the arc above the eyes in outer-eye distances; 0.95 is a hairline, 0.45 just
            above the brows.

    Raises:
        PointsError: Too few points are known.
    """
    points = np.asarray(check_shape(points, f"{IBUG68.count} 2", "points"), np.float64)
    angle = np.linspace(np.pi, 0, 11)[1:-1]
    arc = np.stack([0.86 * np.cos(angle), -top * np.sin(angle) ** 0.7], axis=1)
    return apply_affine(fit_shape(MEAN_SHAPE, points), arc)


@dataclass(frozen=True)
class Mesh:
    """Effect: the wireframe over every face.

    Attributes:
        color: RGB.
        opacity: In [0, 1].

    Example:
        >>> from facedots import Pipeline, read_image, sample_portrait
        >>> image = read_image(sample_portrait())  # doctest: +SKIP
        >>> result = Mesh(color=(255, 255, 255))(image, Pipeline()(image))  # doctest: +SKIP
    """

    color: Color = (120, 255, 220)
    opacity: float = 0.7

    def __call__(self, image: Image, faces: Sequence[Face]) -> Image:
        """A copy of the RGB image with the meshes; edges to missing points are left out."""
        lines = np.array(check_image(image))
        for face in faces:
            draw_mesh(lines, face.points, self.color)
        mixed = cv2.addWeighted(lines, self.opacity, image, 1 - self.opacity, 0)
        return np.asarray(mixed, np.uint8)


def draw_mesh(image: Image, points: ArrayLike, color: Color) -> None:
    """Draw the wireframe of one face (68, 2) onto the image; lines thicken with the face."""
    points = np.asarray(check_shape(points, f"{IBUG68.count} 2", "points"), np.float32)
    valid = points[np.isfinite(points).all(axis=1)]
    width = max(1, round(float(np.ptp(valid, axis=0).max()) / 250)) if len(valid) else 1
    for edge in mesh_edges():
        if np.isfinite(points[edge]).all():
            draw_line(image, points[edge], color, width)


@lru_cache
def mesh_edges() -> NDArray[np.int32]:
    """Every edge of :data:`~facedots.analysis.shapes.TRIANGLES` once: ``int32 (E, 2)``."""
    pairs = np.concatenate([TRIANGLES[:, [0, 1]], TRIANGLES[:, [1, 2]], TRIANGLES[:, [2, 0]]])
    return np.unique(np.sort(pairs, axis=1), axis=0)
