"""Robust statistics of the shapes of faces: their median face, and a Gaussian over their points."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

from facedots.errors import DataError
from facedots.evaluation.metrics import known_mean
from facedots.geometry import Matrix, check_shape, fit_similarity
from facedots.schema import KeypointSchema

CANDIDATES = 50
"""Faces, evenly spread over the data, that are tried as the first reference."""

MIN_DEVIATION = 0.005
"""Least deviation along each axis, in eye distances: no label is more exact."""

SAMPLES_PER_AXIS = 10
"""Faces needed per principal axis; the other axes share one noise variance."""

OUTLIER_MADS = 4.0
"""Robust deviations above the median, of logarithms, at which outliers begin."""


def outlier_limit(values: ArrayLike) -> float:
    """Where outliers of positive numbers begin: four robust deviations above the median of logs.

    The robust deviation is 1.4826 times the median distance from the median (MAD), for a Gaussian
    its standard deviation. NaN is passed over; without any number the limit is infinite.

    >>> round(outlier_limit([1, 1, 2, 2, 4, 4, 1000]), 1)
    122.0
    """
    numbers = np.asarray(values, np.float64).ravel()
    logs = np.log(numbers[np.isfinite(numbers) & (numbers > 0)])
    if not logs.size:
        return np.inf
    median = np.median(logs)
    return float(np.exp(median + OUTLIER_MADS * 1.4826 * np.median(np.abs(logs - median))))


@dataclass(frozen=True)
class ReferenceShape:
    """The median face of a data set, to which faces are aligned."""

    points: Matrix  # (K, 2) about their mean, in eye distances; NaN for a point that no face has

    @classmethod
    def fit(cls, points: ArrayLike, schema: KeypointSchema, rounds: int = 5) -> "ReferenceShape":
        """Generalized Procrustes analysis of ``(N, K, 2)`` points, with a median against outliers;
        the unit is the distance of the schema's ``norm_pair`` in the median face.

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


@dataclass(frozen=True)
class Gaussian:
    """A Gaussian over the points of a face: of aligned shapes, or of residuals.

    A wrong point need not be far from its own mean; it is far from its mean given the *other*
    points of its face: :meth:`conditional_residuals`.
    """

    mean: Matrix  # (2 K,): x0, y0, x1, y1, …
    covariance: Matrix  # (2 K, 2 K), of full rank

    @classmethod
    def fit(cls, faces: ArrayLike, rounds: int = 3) -> "Gaussian":
        """Fit most of the faces ``(N, K, 2)``; missing points (NaN) get their conditional mean.

        Each round leaves out the outliers (:func:`outlier_limit`) of the round before. Principal
        axes with too few faces get one noise variance, as in probabilistic PCA (Tipping and Bishop,
        1999).
        """
        points = _faces(faces)
        samples = _rows(points)
        center = np.zeros(samples.shape[1])
        labeled = ~np.isnan(samples).all(axis=0)
        center[labeled] = np.nanmedian(samples[:, labeled], axis=0)
        deviation = 1.4826 * np.nanmedian(np.abs(samples - center)) + MIN_DEVIATION
        model = cls(center, np.eye(samples.shape[1]) * deviation**2)
        for _ in range(rounds):
            distances = model.distances(points)
            inliers = distances <= max(outlier_limit(distances), np.median(distances))
            filled = model._imputed(samples[inliers])
            model = cls(filled.mean(axis=0), _covariance(filled))
        return model

    @cached_property
    def precision(self) -> Matrix:
        """Inverse ``(2 K, 2 K)`` of the covariance."""
        return np.linalg.inv(self.covariance).astype(np.float64)

    def distances(self, faces: ArrayLike) -> Matrix:
        """Mahalanobis distance ``(N,)`` of faces ``(N, K, 2)``; NaN for a face without points.

        Divided by the root of its degrees of freedom, so that 1 is usual.
        """
        samples = _rows(faces)
        complete = ~np.isnan(samples).any(axis=1)
        result = np.full(len(samples), np.nan)
        result[complete] = _mahalanobis(samples[complete] - self.mean, self.covariance)
        for i in np.flatnonzero(~complete):
            valid = ~np.isnan(samples[i])
            if valid.any():
                offsets = (samples[i] - self.mean)[None, valid]
                result[i] = _mahalanobis(offsets, self.covariance[np.ix_(valid, valid)])[0]
        return result

    def conditional_residuals(self, faces: ArrayLike) -> Matrix:
        """Distance ``(N, K)`` of each point from its mean given the other points of its face.

        With the precision matrix P, a point's offset from its conditional mean is ``inv(P_kk) (P (x
        - mean))_k``. NaN for missing points.
        """
        samples = _rows(faces)
        weighted = (self._imputed(samples) - self.mean) @ self.precision
        weighted = weighted.reshape(len(samples), -1, 2)
        starts = range(0, len(self.mean), 2)
        blocks = np.stack([self.precision[i : i + 2, i : i + 2] for i in starts])
        offsets = np.linalg.solve(blocks, weighted.transpose(1, 2, 0)).transpose(2, 0, 1)
        offsets[np.isnan(samples).reshape(offsets.shape).any(axis=2)] = np.nan
        return np.asarray(np.linalg.norm(offsets, axis=2))

    def _imputed(self, samples: Matrix) -> Matrix:
        """The samples with missing coordinates at their conditional mean."""
        filled = samples.copy()
        for i in np.flatnonzero(np.isnan(samples).any(axis=1)):
            valid = ~np.isnan(samples[i])
            cross = self.covariance[np.ix_(~valid, valid)]
            within = self.covariance[np.ix_(valid, valid)]
            weights = np.linalg.solve(within, samples[i, valid] - self.mean[valid])
            filled[i, ~valid] = self.mean[~valid] + cross @ weights
        return filled


def _faces(points: ArrayLike) -> Matrix:
    return np.asarray(check_shape(points, "N K 2", "points"), np.float64)


def _rows(faces: ArrayLike) -> Matrix:
    """Faces ``(N, K, 2)`` as ``(N, 2 K)``."""
    points = _faces(faces)
    return points.reshape(len(points), -1)


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
    return np.asarray(candidates[int(np.argmin(costs))])


def _align(faces: Matrix, reference: Matrix) -> Matrix:
    """Faces ``(N, K, 2)`` under their similarity to the reference; NaN without two points."""
    fits = fit_similarity(faces, reference)
    return np.asarray(faces @ fits[:, :, :2].transpose(0, 2, 1) + fits[:, None, :, 2])


def _radius(faces: Matrix) -> Matrix:
    """Root mean square distance ``(N,)`` of the points of faces ``(N, K, 2)`` from their mean."""
    center = known_mean(faces.transpose(0, 2, 1))
    squares = ((faces - center[:, None]) ** 2).sum(axis=2)
    return np.asarray(np.sqrt(known_mean(squares)))


def _mahalanobis(offsets: Matrix, covariance: Matrix) -> Matrix:
    squares = np.einsum("ni,ni->n", offsets, np.linalg.solve(covariance, offsets.T).T)
    return np.asarray(np.sqrt(squares / offsets.shape[1]))


def _covariance(samples: Matrix) -> Matrix:
    """Covariance whose axes with too few samples share one variance."""
    values, axes = np.linalg.eigh(np.cov(samples.T))
    kept = min(len(values), len(samples) // SAMPLES_PER_AXIS)
    noise = slice(0, len(values) - kept)
    if kept < len(values):
        values[noise] = values[noise].mean()
    return np.asarray((axes * (values + MIN_DEVIATION**2)) @ axes.T)
