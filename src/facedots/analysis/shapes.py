"""Reference shapes of the 68 keypoints (a flat mean face with its mesh, a rigid 3D head), and how
the points of a face fit the mean face.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from facedots.errors import PointsError
from facedots.geometry import Floats, Matrix, apply_affine, check_shape
from facedots.schema import IBUG68

Triangles = NDArray[np.int32]
Runs = dict[int, list[tuple[float, ...]]]


def _symmetric(right_half: Runs) -> Matrix:
    """A shape ``(68, D)`` from runs of points of its right half by their first index."""
    dimensions = len(next(iter(right_half.values()))[0])
    shape = np.zeros((IBUG68.count, dimensions))
    for first, points in right_half.items():
        for i, point in enumerate(points, first):
            shape[IBUG68.flip[i]] = (-point[0], *point[1:])
            shape[i] = point
    return shape


# fmt: off
_MEAN_FACE: Runs = {
    0: [(-85, 2), (-84, 24), (-81, 46), (-76, 67), (-69, 87), (-57, 105), (-42, 119), (-24, 130),
        (0, 135)],
    17: [(-66, -17), (-56, -25), (-43, -27), (-30, -25.5), (-18, -22)],
    27: [(0, 0), (0, 15), (0, 29), (0, 43), (-15, 52), (-8, 54), (0, 56)],
    36: [(-50, 0), (-42, -4), (-31, -4.5), (-22, 1.5), (-31, 4), (-42, 4)],
    48: [(-30, 80), (-20, 73.5), (-7, 70.5), (0, 72)],
    57: [(0, 102), (-10, 101), (-20.5, 95), (-26.5, 80.5), (-11, 78.5), (0, 78.5)],
    66: [(0, 91), (-10, 89.5)],
}
_HEAD: Runs = {
    0: [(-818, 8, 502), (-803, 225, 474), (-770, 432, 451), (-731, 632, 430), (-662, 836, 369),
        (-545, 1009, 270), (-405, 1138, 125), (-231, 1246, -14), (0, 1295, -51)],
    17: [(-663, -162, 75), (-560, -235, -57), (-427, -256, -151), (-296, -240, -213),
         (-174, -201, -249)],
    27: [(0, 2, -269), (0, 144, -357), (0, 283, -455), (0, 411, -502), (-152, 497, -263),
         (-82, 519, -306), (0, 541, -326)],
    36: [(-500, 0, 0), (-415, -38, -73), (-311, -37, -82), (-219, 16, -66), (-312, 40, -76),
         (-418, 39, -54)],
    48: [(-305, 759, -52), (-197, 706, -201), (-74, 676, -284), (0, 693, -292)],
    57: [(0, 912, -224), (-94, 903, -209), (-197, 855, -150), (-270, 760, -63), (-85, 747, -240),
         (0, 750, -254)],
    66: [(0, 809, -225), (-85, 801, -215)],
}
_RIGHT_TRIANGLES = [
    (0, 36, 1), (0, 17, 36), (1, 41, 2), (1, 36, 41), (2, 31, 3), (2, 41, 31), (3, 48, 4),
    (3, 31, 48), (4, 48, 5), (5, 59, 6), (5, 48, 59), (6, 59, 7), (7, 58, 8), (7, 59, 58),
    (8, 58, 57), (17, 18, 36), (18, 19, 37), (18, 37, 36), (19, 20, 37), (20, 21, 38), (20, 38, 37),
    (21, 27, 39), (21, 39, 38), (27, 28, 39), (28, 29, 39), (29, 30, 31), (29, 31, 40),
    (29, 40, 39), (30, 32, 31), (30, 33, 32), (31, 32, 50), (31, 41, 40), (31, 49, 48),
    (31, 50, 49), (32, 33, 50), (33, 51, 50), (36, 37, 41), (37, 38, 40), (37, 40, 41),
    (38, 39, 40), (48, 49, 60), (48, 60, 59), (49, 50, 61), (49, 61, 60), (50, 51, 62),
    (50, 62, 61), (57, 58, 66), (58, 59, 67), (58, 67, 66), (59, 60, 67), (60, 61, 67),
    (61, 62, 67), (62, 66, 67),
]
_MIDDLE_TRIANGLES = [(19, 23, 20), (19, 24, 23), (20, 22, 21), (20, 23, 22), (21, 22, 27)]
# fmt: on

MEAN_SHAPE: Floats = (_symmetric(_MEAN_FACE) / 100).astype(np.float32)
"""A frontal face, its mouth a little open: ``float32 (68, 2)``, in outer-eye distances; read-only.

The outer eye corners lie at (-0.5, 0) and (0.5, 0), y points down. Laid out by hand, symmetric.
"""
MEAN_SHAPE.flags.writeable = False

_LEFT_TRIANGLES = [tuple(IBUG68.flip[i] for i in (a, c, b)) for a, b, c in _RIGHT_TRIANGLES]
TRIANGLES: Triangles = np.array([*_RIGHT_TRIANGLES, *_MIDDLE_TRIANGLES, *_LEFT_TRIANGLES], np.int32)
"""The Delaunay triangulation of :data:`MEAN_SHAPE`: ``int32 (111, 3)`` indices of points, clockwise
in an image of a face turned to the viewer; read-only. Every line of the schema is an edge of it.
"""
TRIANGLES.flags.writeable = False

HEAD_MODEL = _symmetric(_HEAD) / 1000
"""A rigid head: ``float64 (68, 3)``, in outer-eye distances (90 mm on adults); read-only.

x to the subject's left, y down, z away from the viewer; the origin lies between the outer eye
corners. At zero rotation it is held as before a camera, about 7 degrees further down than
anatomically upright. Refined by ``benchmarks/head_model.py``, see docs/experiments.md.
"""
HEAD_MODEL.flags.writeable = False


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
        near: The points or their mirror image are the mean face, turned as a head can be.
        mirrored: It is the mirror image.
    """

    residuals: Matrix
    turn: float
    near: bool
    mirrored: bool

    @property
    def plausible(self) -> bool:
        """Whether the points are the mean face, turned as a head can be, and little else."""
        return not self.mirrored and self.near


def compare_shape(points: ArrayLike) -> ShapeFit | None:
    """Compare the points ``(68, 2)`` of a face with the mean face; None where they are too few, or
    lie on a line.

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
    misfit = float(np.sqrt(np.nanmean((offsets**2).sum(axis=1)))) / unit
    return ShapeFit(
        residuals=offsets @ np.linalg.inv(linear).T,
        turn=float(np.degrees(np.arctan2(linear[1, 0], linear[0, 0]))),
        near=squeezed / unit >= MIN_SQUEEZE and misfit <= MAX_MISFIT,
        mirrored=bool(np.linalg.det(linear) < 0),
    )


def forehead(points: ArrayLike, top: float = 0.95) -> Floats:
    """The expected forehead of a face ``(68, 2)``: ``float32 (9, 2)``, an arc from the right temple
    to the left, where no keypoints lie.

    Args:
        points: In pixels.
        top: Height of the arc above the eyes in outer-eye distances; 0.95 is a hairline, 0.45 just
            above the brows.

    Raises:
        PointsError: Too few points are known.
    """
    points = np.asarray(check_shape(points, f"{IBUG68.count} 2", "points"), np.float64)
    angle = np.linspace(np.pi, 0, 11)[1:-1]
    arc = np.stack([0.86 * np.cos(angle), -top * np.sin(angle) ** 0.7], axis=1)
    return apply_affine(fit_shape(MEAN_SHAPE, points), arc)
