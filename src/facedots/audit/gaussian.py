"""Robust multivariate Gaussian over the points of faces (outliers trimmed, missing points imputed).

The same model serves aligned shapes and residuals against a prediction. A wrong point need not be
far from its own mean; it is far from its mean given the *other* points of its face:
:meth:`Gaussian.conditional_residuals`.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

from facedots.geometry import Matrix, check_shape

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


def last_axis_mean(values: ArrayLike) -> Matrix:
    """Mean over the last axis without NaN, like ``np.nanmean``; all-NaN rows give NaN, no warning.

    >>> last_axis_mean([[1, np.nan, 3], [np.nan, np.nan, np.nan]])
    array([ 2., nan])
    """
    numbers = np.asarray(values, np.float64)
    valid = ~np.isnan(numbers)
    count = valid.sum(axis=-1)
    total: Matrix = np.where(valid, numbers, 0).sum(axis=-1)
    return total / np.where(count > 0, count, np.nan)


@dataclass(frozen=True)
class Gaussian:
    """A Gaussian over the points of a face.

    Attributes:
        mean: ``float64 (2 K,)``: x0, y0, x1, y1, …
        covariance: ``float64 (2 K, 2 K)``, of full rank.
    """

    mean: Matrix
    covariance: Matrix

    @classmethod
    def fit(cls, faces: ArrayLike, rounds: int = 3) -> "Gaussian":
        """Fit most of the faces ``(N, K, 2)``; missing points (NaN) get their conditional mean.

        Each round leaves out the outliers (:func:`outlier_limit`) of the round before. Principal
        axes with too few faces get one noise variance, as in probabilistic PCA (Tipping and Bishop,
        1999).
        """
        samples = _rows(faces)
        center = np.zeros(samples.shape[1])
        labeled = ~np.isnan(samples).all(axis=0)
        center[labeled] = np.nanmedian(samples[:, labeled], axis=0)
        deviation = 1.4826 * np.nanmedian(np.abs(samples - center)) + MIN_DEVIATION
        model = cls(center, np.eye(samples.shape[1]) * deviation**2)
        for _ in range(rounds):
            distances = model._distances(samples)
            inliers = samples[distances <= max(outlier_limit(distances), np.median(distances))]
            filled = model._imputed(inliers)
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
        return self._distances(_rows(faces))

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
        residuals: Matrix = np.linalg.norm(offsets, axis=2)
        return residuals

    def _distances(self, samples: Matrix) -> Matrix:
        complete = ~np.isnan(samples).any(axis=1)
        result = np.full(len(samples), np.nan)
        result[complete] = _mahalanobis(samples[complete] - self.mean, self.covariance)
        for i in np.flatnonzero(~complete):
            valid = ~np.isnan(samples[i])
            if valid.any():
                offsets = (samples[i] - self.mean)[None, valid]
                result[i] = _mahalanobis(offsets, self.covariance[np.ix_(valid, valid)])[0]
        return result

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


def _rows(faces: ArrayLike) -> Matrix:
    """Faces ``(N, K, 2)`` as ``(N, 2 K)``."""
    points = np.asarray(check_shape(faces, "N K 2", "faces"), np.float64)
    return points.reshape(len(points), -1)


def _mahalanobis(offsets: Matrix, covariance: Matrix) -> Matrix:
    squares = np.einsum("ni,ni->n", offsets, np.linalg.solve(covariance, offsets.T).T)
    distances: Matrix = np.sqrt(squares / offsets.shape[1])
    return distances


def _covariance(samples: Matrix) -> Matrix:
    """Covariance whose axes with too few samples share one variance."""
    values, axes = np.linalg.eigh(np.cov(samples.T))
    kept = min(len(values), len(samples) // SAMPLES_PER_AXIS)
    noise = slice(0, len(values) - kept)
    if kept < len(values):
        values[noise] = values[noise].mean()
    covariance: Matrix = (axes * (values + MIN_DEVIATION**2)) @ axes.T
    return covariance
