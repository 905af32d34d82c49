"""Shapes of faces: points aligned to the median face of a data set (generalized Procrustes)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from facedots.audit.gaussian import last_axis_mean
from facedots.errors import DataError
from facedots.geometry import Matrix, check_shape, fit_similarity
from facedots.schema import KeypointSchema

CANDIDATES = 50
"""Faces, evenly spread over the data, that are tried as the first reference."""


@dataclass(frozen=True)
class ReferenceShape:
    """The median face of a data set, to which faces are aligned.

    Attributes:
        points: ``float64 (K, 2)`` about their mean, in eye distances; NaN for a point that no face
            has.
    """

    points: Matrix

    @classmethod
    def fit(cls, points: ArrayLike, schema: KeypointSchema, rounds: int = 5) -> "ReferenceShape":
        """Generalized Procrustes analysis of ``(N, K, 2)`` points, with a median against outliers.

        The unit is the distance of the schema's ``norm_pair`` in the median face.

        Raises:
            DataError: No face has the ``norm_pair``.
        """
        faces = _faces(points)
        reference = _first_reference(faces)
        for _ in range(rounds):
            aligned = _align(faces, reference)
            labeled = np.isfinite(aligned).any(axis=(0, 2))
            reference = np.full(reference.shape, np.nan)
            reference[labeled] = np.nanmedian(aligned[:, labeled], axis=0)
        right, left = schema.norm_pair
        x, y = reference[left] - reference[right]
        if not np.hypot(x, y) > 0:
            pair = f"{schema.names[right]} and {schema.names[left]}"
            raise DataError(f"no face has the points {pair}, whose distance scales errors")
        upright = np.array([[x, y], [-y, x]]) / (x**2 + y**2)
        return cls((reference - np.nanmean(reference, axis=0)) @ upright.T)

    def align(self, points: ArrayLike) -> Matrix:
        """Faces ``(N, K, 2)`` under their best similarity to the reference, in eye distances."""
        return _align(_faces(points), self.points)

    def align_offsets(self, offsets: ArrayLike, points: ArrayLike) -> Matrix:
        """Offsets ``(N, K, 2)`` in pixels, rotated and scaled as :meth:`align` does ``points``."""
        fits = fit_similarity(_faces(points), self.points)
        return _faces(offsets) @ fits[:, :, :2].transpose(0, 2, 1)

    def eye_distances(self, points: ArrayLike) -> Matrix:
        """Frontal eye distance ``(N,)`` in pixels of faces ``(N, K, 2)`` of these sizes.

        It follows from the root mean square radius of the points, whatever their order; a profile's
        own eye distance is short and would magnify its errors.
        """
        faces = _faces(points)
        labeled = np.isfinite(faces).all(axis=2, keepdims=True)
        return _radius(faces) / _radius(np.where(labeled, self.points, np.nan))


def mirror_shapes(shapes: ArrayLike, schema: KeypointSchema) -> Matrix:
    """Mirror images ``(N, K, 2)`` of shapes about the vertical through 0, points renamed."""
    return np.asarray(shapes, np.float64)[:, list(schema.flip)] * (-1, 1)


def _first_reference(faces: Matrix) -> Matrix:
    """The candidate to which the other faces ``(N, K, 2)`` align best, relative to its size."""
    count = np.isfinite(faces).all(axis=2).sum(axis=1)
    complete = faces[count >= count.max() - 1]
    chosen = np.unique(np.linspace(0, len(complete) - 1, CANDIDATES).astype(int))
    candidates = complete[chosen]
    means = np.nanmean(candidates, axis=1, keepdims=True)
    candidates = np.where(np.isfinite(candidates), candidates, means)
    costs = []
    for candidate, mean in zip(candidates, candidates.mean(axis=1), strict=True):
        distances = np.linalg.norm(_align(complete, candidate) - candidate, axis=2)
        size = np.linalg.norm(candidate - mean, axis=1).mean()
        costs.append(np.median(np.nanmean(distances, axis=1)) / size)
    best: Matrix = candidates[int(np.argmin(costs))]
    return best


def _faces(points: ArrayLike) -> Matrix:
    return np.asarray(check_shape(points, "N K 2", "points"), np.float64)


def _align(faces: Matrix, reference: Matrix) -> Matrix:
    """Faces ``(N, K, 2)`` under their similarity to the reference; NaN without two points."""
    fits = fit_similarity(faces, reference)
    aligned: Matrix = faces @ fits[:, :, :2].transpose(0, 2, 1) + fits[:, None, :, 2]
    return aligned


def _radius(faces: Matrix) -> Matrix:
    """Root mean square distance ``(N,)`` of the points of faces ``(N, K, 2)`` from their mean."""
    center = last_axis_mean(faces.transpose(0, 2, 1))
    squares = ((faces - center[:, None]) ** 2).sum(axis=2)
    radius: Matrix = np.sqrt(last_axis_mean(squares))
    return radius
