"""What a data set covers: sizes, poses and brightness of its faces, and which of them are rare."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facedots.analysis.pose import Camera, head_pose
from facedots.audit.scan import ImageScan
from facedots.errors import PointsError
from facedots.evaluation.metrics import norm_distances
from facedots.geometry import Matrix
from facedots.schema import IBUG68, KeypointSchema

RARE = 0.02
"""A class with less than this share of the faces is called rare: a network learns little of it, and
a test says little of it.
"""


@dataclass(frozen=True)
class Measure:
    """A number that each face has.

    Attributes:
        name: With its unit.
        values: ``float64 (N,)``; NaN unknown.
        edges: Where classes begin and end; the first and the last class have no end.
    """

    name: str
    values: Matrix
    edges: tuple[float, ...]

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes, in words."""
        inner = [
            f"{low:g} to {high:g}" for low, high in zip(self.edges, self.edges[1:], strict=False)
        ]
        return (f"below {self.edges[0]:g}", *inner, f"{self.edges[-1]:g} and more")

    def shares(self, chosen: NDArray[np.bool_] | None = None) -> Matrix:
        """The share of each class among the (chosen) faces whose number is known, ``(classes,)``;
        NaN without any.
        """
        known = self.values if chosen is None else self.values[chosen]
        known = known[np.isfinite(known)]
        counts = np.bincount(
            np.searchsorted(self.edges, known, side="right"), minlength=len(self.edges) + 1
        )
        return np.asarray(counts / len(known) if len(known) else np.full(len(counts), np.nan))

    @property
    def rare(self) -> tuple[str, ...]:
        """The classes that hold less than :data:`RARE` of the faces."""
        return tuple(
            name for name, share in zip(self.classes, self.shares(), strict=True) if share < RARE
        )


def coverage(labels: Matrix, sights: ImageScan, schema: KeypointSchema) -> tuple[Measure, ...]:
    """Size, brightness and, for faces in the order of IBUG68, the angles of the head, of labels
    ``(N, K, 2)`` in pixels.
    """
    measures = [
        Measure("eye distance, px", norm_distances(labels, schema), (16, 32, 64, 128)),
        Measure("brightness of the face, gray level", sights.brightness, (50, 100, 150, 200)),
    ]
    if schema != IBUG68:
        return tuple(measures)
    angles = np.array(
        [_angles(face, size) for face, size in zip(labels, sights.sizes, strict=True)]
    ).reshape(-1, 3)
    limits: Mapping[str, Sequence[float]] = {
        "yaw": (-45, -20, 20, 45),
        "pitch": (-30, -15, 15, 30),
        "roll": (-30, -15, 15, 30),
    }
    named = zip(limits.items(), angles.T, strict=True)
    return (
        *measures,
        *(Measure(f"{name}, degrees", values, tuple(edges)) for (name, edges), values in named),
    )


def _angles(points: Matrix, size: Matrix) -> tuple[float, float, float]:
    """Yaw, pitch and roll in degrees, through a usual camera; NaN where they cannot be read."""
    try:
        pose = head_pose(points, Camera.guess((int(size[1]), int(size[0]))))
    except (PointsError, ValueError):
        return math.nan, math.nan, math.nan
    return pose.yaw, pose.pitch, pose.roll
