"""Reference shapes of the 68 keypoints: a flat mean face with its mesh, and a rigid 3D head."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from facedots.geometry import Floats, Matrix
from facedots.schema import IBUG68

Triangles = NDArray[np.int32]


def _symmetric(right_half: Mapping[int, Sequence[tuple[float, ...]]]) -> Matrix:
    """A read-only shape ``(68, D)`` from runs of points of its right half by their first index."""
    dimensions = len(next(iter(right_half.values()))[0])
    shape = np.zeros((IBUG68.count, dimensions))
    for first, points in right_half.items():
        for i, point in enumerate(points, first):
            shape[IBUG68.flip[i]] = (-point[0], *point[1:])
            shape[i] = point
    shape.flags.writeable = False
    return shape


# fmt: off
_MEAN_FACE: dict[int, list[tuple[float, ...]]] = {
    0: [(-85, 2), (-84, 24), (-81, 46), (-76, 67), (-69, 87), (-57, 105), (-42, 119), (-24, 130),
        (0, 135)],
    17: [(-66, -17), (-56, -25), (-43, -27), (-30, -25.5), (-18, -22)],
    27: [(0, 0), (0, 15), (0, 29), (0, 43), (-15, 52), (-8, 54), (0, 56)],
    36: [(-50, 0), (-42, -4), (-31, -4.5), (-22, 1.5), (-31, 4), (-42, 4)],
    48: [(-30, 80), (-20, 73.5), (-7, 70.5), (0, 72)],
    57: [(0, 102), (-10, 101), (-20.5, 95), (-26.5, 80.5), (-11, 78.5), (0, 78.5)],
    66: [(0, 91), (-10, 89.5)],
}
_HEAD: dict[int, list[tuple[float, ...]]] = {
    0: [(-0.818, 0.008, 0.502), (-0.803, 0.225, 0.474), (-0.770, 0.432, 0.451),
        (-0.731, 0.632, 0.430), (-0.662, 0.836, 0.369), (-0.545, 1.009, 0.270),
        (-0.405, 1.138, 0.125), (-0.231, 1.246, -0.014), (0, 1.295, -0.051)],
    17: [(-0.663, -0.162, 0.075), (-0.560, -0.235, -0.057), (-0.427, -0.256, -0.151),
         (-0.296, -0.240, -0.213), (-0.174, -0.201, -0.249)],
    27: [(0, 0.002, -0.269), (0, 0.144, -0.357), (0, 0.283, -0.455), (0, 0.411, -0.502),
         (-0.152, 0.497, -0.263), (-0.082, 0.519, -0.306), (0, 0.541, -0.326)],
    36: [(-0.5, 0, 0), (-0.415, -0.038, -0.073), (-0.311, -0.037, -0.082),
         (-0.219, 0.016, -0.066), (-0.312, 0.040, -0.076), (-0.418, 0.039, -0.054)],
    48: [(-0.305, 0.759, -0.052), (-0.197, 0.706, -0.201), (-0.074, 0.676, -0.284),
         (0, 0.693, -0.292)],
    57: [(0, 0.912, -0.224), (-0.094, 0.903, -0.209), (-0.197, 0.855, -0.150),
         (-0.270, 0.760, -0.063), (-0.085, 0.747, -0.240), (0, 0.750, -0.254)],
    66: [(0, 0.809, -0.225), (-0.085, 0.801, -0.215)],
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

TRIANGLES: Triangles = np.array(
    [
        *_RIGHT_TRIANGLES,
        *_MIDDLE_TRIANGLES,
        *((IBUG68.flip[a], IBUG68.flip[c], IBUG68.flip[b]) for a, b, c in _RIGHT_TRIANGLES),
    ],
    np.int32,
)
"""The Delaunay triangulation of :data:`MEAN_SHAPE`: ``int32 (111, 3)`` indices of points, clockwise
in an image of a face turned to the viewer; read-only. Every line of the schema is an edge of it.
"""
TRIANGLES.flags.writeable = False

HEAD_MODEL = _symmetric(_HEAD)
"""A rigid head: ``float64 (68, 3)``, in outer-eye distances (90 mm on adults); read-only.

x to the subject's left, y down, z away from the viewer; the origin lies between the outer eye
corners. At zero rotation it is held as people hold it before a camera, which looks about 7 degrees
further down than anatomically upright: the chin lies 0.22 behind the bridge of the nose. Refined on
1,600 labeled faces by ``benchmarks/head_model.py``; the median label is 3.8 % of the eye distance
off, which is how much people and expressions differ from one rigid head.
"""
