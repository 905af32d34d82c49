"""Coverage of a data set: sizes, poses and brightness of its faces, and which of them are rare."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facedots.analysis.pose import Camera, head_pose
from facedots.errors import PointsError
from facedots.evaluation.metrics import norm_distances
from facedots.geometry import Matrix
from facedots.schema import IBUG68, KeypointSchema

RARE = 0.02
"""Share of the faces below which a class is rare: too few to learn from or to test on."""


@dataclass(frozen=True)
class Measure:
    """A number per face, and classes to count it in.

    Attributes:
        name: With its unit.
        values: ``float64 (N,)``; NaN unknown.
        edges: Inner edges of the classes; the first and the last class are open.
    """

    name: str
    values: Matrix
    edges: tuple[float, ...]

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes, in words."""
        edges = zip(self.edges, self.edges[1:], strict=False)
        inner = [f"{low:g} to {high:g}" for low, high in edges]
        return (f"below {self.edges[0]:g}", *inner, f"{self.edges[-1]:g} and more")

    def shares(self, mask: NDArray[np.bool_] | None = None) -> Matrix:
        """Share ``(classes,)`` of each class among the (masked) faces; NaN without a value."""
        values = self.values if mask is None else self.values[mask]
        values = values[np.isfinite(values)]
        classes = np.searchsorted(self.edges, values, side="right")
        counts = np.bincount(classes, minlength=len(self.edges) + 1)
        return counts / len(values) if len(values) else np.full(len(counts), np.nan)

    @property
    def rare(self) -> tuple[str, ...]:
        """Classes with less than :data:`RARE` of the faces."""
        shares = zip(self.classes, self.shares(), strict=True)
        return tuple(name for name, share in shares if share < RARE)


def measure_coverage(
    labels: Matrix, sizes: Matrix, brightness: Matrix, schema: KeypointSchema
) -> tuple[Measure, ...]:
    """Eye distance, brightness and, for IBUG68 only, the head's yaw, pitch and roll.

    Args:
        labels: ``(N, K, 2)``, pixels.
        sizes: ``(N, 2)``, width and height of each face's image; NaN unknown.
        brightness: ``(N,)``, gray level of each face.
        schema: Schema of the points.
    """
    measures = [
        Measure("eye distance, px", norm_distances(labels, schema), (16, 32, 64, 128)),
        Measure("brightness of the face, gray level", brightness, (50, 100, 150, 200)),
    ]
    if schema == IBUG68:
        angles = [_angles(face, size) for face, size in zip(labels, sizes, strict=True)]
        yaw, pitch, roll = np.array(angles).reshape(-1, 3).T
        measures += [
            Measure("yaw, degrees", yaw, (-45, -20, 20, 45)),
            Measure("pitch, degrees", pitch, (-30, -15, 15, 30)),
            Measure("roll, degrees", roll, (-30, -15, 15, 30)),
        ]
    return tuple(measures)


def _angles(points: Matrix, size: Matrix) -> tuple[float, float, float]:
    """Yaw, pitch and roll in degrees, through a typical camera; NaN where the pose fit fails."""
    try:
        pose = head_pose(points, Camera.guess((int(size[1]), int(size[0]))))
    except (PointsError, ValueError):
        return math.nan, math.nan, math.nan
    return pose.yaw, pose.pitch, pose.roll
