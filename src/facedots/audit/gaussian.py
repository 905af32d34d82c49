"""What the points of a face are among the faces of a data set: a Gaussian in which faulty faces have no say.

The same model serves shapes (points of faces laid over each other) and residuals (points beside where a network sees them). A
wrong point need not be far from its mean; it is far from where the *other* points of its face put it: :meth:`Gaussian.beside`.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from facedots.geometry import Matrix, check_shape

FLOOR = 0.005
"""Deviation along each axis that no model undercuts, in eye distances: labels are not more exact than that."""

SAMPLES_PER_AXIS = 10
"""So many faces must speak for each principal axis; the others are taken for noise of one size."""

STRANGE = 4.0
"""Robust deviations above the median, of logarithms, from which a number is out of line: see :func:`limit`."""


def limit(values: ArrayLike) -> float:
    """Where positive numbers begin to be out of line: four robust deviations above the median, on a logarithmic scale.

    The deviation is 1.4826 times the median distance from the median, which for a Gaussian is its deviation; up to half of the
    numbers can be wild without moving the limit much. NaN does not count; without any number the limit is infinite.

    >>> round(limit([1, 1, 2, 2, 4, 4, 1000]), 1)
    122.0
    """
    known = np.asarray(values, np.float64).ravel()
    logs = np.log(known[np.isfinite(known) & (known > 0)])
    if not logs.size:
        return np.inf
    middle = np.median(logs)
    return float(np.exp(middle + STRANGE * 1.4826 * np.median(np.abs(logs - middle))))


def mean_of_known(values: ArrayLike) -> Matrix:
    """The mean over the last axis, of what is not NaN; NaN where everything is.

    >>> mean_of_known([[1, np.nan, 3], [np.nan, np.nan, np.nan]])
    array([ 2., nan])
    """
    given = np.asarray(values, np.float64)
    known = ~np.isnan(given)
    count = known.sum(axis=-1)
    return np.asarray(np.where(known, given, 0).sum(axis=-1) / np.where(count > 0, count, np.nan))


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
        """The Gaussian of most of the faces ``(N, K, 2)``; missing points (NaN) are filled in by what is known of the others.

        Faces out of line (:func:`limit`) are left out in the next of a few rounds. Principal axes for which there are too few
        faces are replaced by noise of one size, as in probabilistic principal component analysis (Tipping and Bishop, 1999).
        """
        samples = _rows(faces)
        middle = np.zeros(samples.shape[1])
        labelled = ~np.isnan(samples).all(axis=0)
        middle[labelled] = np.nanmedian(samples[:, labelled], axis=0)
        spread = 1.4826 * np.nanmedian(np.abs(samples - middle)) + FLOOR
        model = cls(middle, np.eye(samples.shape[1]) * spread**2)
        for _ in range(rounds):
            distances = model._distances(samples)
            chosen = samples[distances <= max(limit(distances), np.median(distances))]
            filled = model._filled(chosen)
            model = cls(filled.mean(axis=0), _covariance(filled))
        return model

    @cached_property
    def precision(self) -> Matrix:
        """The inverse ``(2 K, 2 K)`` of the covariance."""
        return np.asarray(np.linalg.inv(self.covariance), np.float64)

    def distances(self, faces: ArrayLike) -> Matrix:
        """How unlike the others each of the faces ``(N, K, 2)`` is: ``(N,)``; NaN for a face without a known point.

        The Mahalanobis distance over the root of its degrees of freedom, so that 1 is usual.
        """
        return self._distances(_rows(faces))

    def beside(self, faces: ArrayLike) -> Matrix:
        """How far each point ``(N, K)`` lies from where the other points of its face put it; NaN where it is missing.

        With the precision matrix P, the point's offset from its conditional mean is ``inv(P_kk) (P (x - mean))_k``.
        """
        samples = _rows(faces)
        pulls = ((self._filled(samples) - self.mean) @ self.precision).reshape(len(samples), -1, 2)
        blocks = np.stack([self.precision[i : i + 2, i : i + 2] for i in range(0, len(self.mean), 2)])
        offsets = np.linalg.solve(blocks, pulls.transpose(1, 2, 0)).transpose(2, 0, 1)
        offsets[np.isnan(samples).reshape(offsets.shape).any(axis=2)] = np.nan
        return np.asarray(np.linalg.norm(offsets, axis=2))

    def _distances(self, samples: Matrix) -> Matrix:
        whole = ~np.isnan(samples).any(axis=1)
        result = np.full(len(samples), np.nan)
        result[whole] = _mahalanobis(samples[whole] - self.mean, self.covariance)
        for i in np.flatnonzero(~whole):
            known = ~np.isnan(samples[i])
            if known.any():
                result[i] = _mahalanobis((samples[i] - self.mean)[None, known], self.covariance[np.ix_(known, known)])[0]
        return result

    def _filled(self, samples: Matrix) -> Matrix:
        """The samples with what is missing at its conditional mean."""
        filled = samples.copy()
        for i in np.flatnonzero(np.isnan(samples).any(axis=1)):
            known = ~np.isnan(samples[i])
            across = self.covariance[np.ix_(~known, known)]
            within = self.covariance[np.ix_(known, known)]
            filled[i, ~known] = self.mean[~known] + across @ np.linalg.solve(within, samples[i, known] - self.mean[known])
        return filled


def _rows(faces: ArrayLike) -> Matrix:
    """Faces ``(N, K, 2)`` as ``(N, 2 K)``."""
    given = np.asarray(check_shape(faces, "N K 2", "faces"), np.float64)
    return given.reshape(len(given), -1)


def _mahalanobis(offsets: Matrix, covariance: Matrix) -> Matrix:
    squares = np.einsum("ni,ni->n", offsets, np.linalg.solve(covariance, offsets.T).T)
    return np.asarray(np.sqrt(squares / offsets.shape[1]))


def _covariance(samples: Matrix) -> Matrix:
    """Their covariance, with axes that too few samples speak for made equal."""
    values, axes = np.linalg.eigh(np.cov(samples.T))
    kept = min(len(values), len(samples) // SAMPLES_PER_AXIS)
    rest: NDArray[np.bool_] = np.arange(len(values)) < len(values) - kept
    if rest.any():
        values[rest] = values[rest].mean()
    return np.asarray((axes * (values + FLOOR**2)) @ axes.T)
