"""What the points of a face are among the faces of a data set: a Gaussian in which faulty faces
have no say.

The same model serves shapes (points of faces laid over each other) and residuals (points beside
where a network sees them). A wrong point need not be far from its mean; it is far from where the
*other* points of its face put it: :meth:`Gaussian.beside`.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from facedots.errors import DataError
from facedots.geometry import Matrix, check_shape, fit_similarity
from facedots.schema import KeypointSchema

FLOOR = 0.005
"""Deviation along each axis that no model undercuts, in eye distances: labels are not more exact
than that.
"""

SAMPLES_PER_AXIS = 10
"""So many faces must speak for each principal axis; the others are taken for noise of one size."""

OUTLIER_MADS = 4.0
"""Robust deviations above the median, of logarithms, from which a number is out of line: see
:func:`limit`.
"""


def limit(values: ArrayLike) -> float:
    """Where positive numbers begin to be out of line: four robust deviations above the median, on a
    logarithmic scale.

    The deviation is 1.4826 times the median distance from the median, which for a Gaussian is its
    deviation; up to half of the numbers can be wild without moving the limit much. NaN does not
    count; without any number the limit is infinite.

    >>> round(limit([1, 1, 2, 2, 4, 4, 1000]), 1)
    122.0
    """
    known = np.asarray(values, np.float64).ravel()
    logs = np.log(known[np.isfinite(known) & (known > 0)])
    if not logs.size:
        return np.inf
    middle = np.median(logs)
    return float(np.exp(middle + OUTLIER_MADS * 1.4826 * np.median(np.abs(logs - middle))))


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
        """The Gaussian of most of the faces ``(N, K, 2)``; missing points (NaN) are filled in by
        what is known of the others.

        Faces out of line (:func:`limit`) are left out in the next of a few rounds. Principal axes
        for which there are too few faces are replaced by noise of one size, as in probabilistic
        principal component analysis (Tipping and Bishop, 1999).
        """
        samples = _rows(faces)
        middle = np.zeros(samples.shape[1])
        labeled = ~np.isnan(samples).all(axis=0)
        middle[labeled] = np.nanmedian(samples[:, labeled], axis=0)
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
        """How unlike the others each of the faces ``(N, K, 2)`` is: ``(N,)``; NaN for a face
        without a known point.

        The Mahalanobis distance over the root of its degrees of freedom, so that 1 is usual.
        """
        return self._distances(_rows(faces))

    def beside(self, faces: ArrayLike) -> Matrix:
        """How far each point ``(N, K)`` lies from where the other points of its face put it; NaN
        where it is missing.

        With the precision matrix P, the point's offset from its conditional mean is ``inv(P_kk) (P
        (x - mean))_k``.
        """
        samples = _rows(faces)
        pulls = ((self._filled(samples) - self.mean) @ self.precision).reshape(len(samples), -1, 2)
        blocks = np.stack(
            [self.precision[i : i + 2, i : i + 2] for i in range(0, len(self.mean), 2)]
        )
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
                result[i] = _mahalanobis(
                    (samples[i] - self.mean)[None, known], self.covariance[np.ix_(known, known)]
                )[0]
        return result

    def _filled(self, samples: Matrix) -> Matrix:
        """The samples with what is missing at its conditional mean."""
        filled = samples.copy()
        for i in np.flatnonzero(np.isnan(samples).any(axis=1)):
            known = ~np.isnan(samples[i])
            across = self.covariance[np.ix_(~known, known)]
            within = self.covariance[np.ix_(known, known)]
            filled[i, ~known] = self.mean[~known] + across @ np.linalg.solve(
                within, samples[i, known] - self.mean[known]
            )
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


Points = NDArray[np.complex128]
"""Points of the plane as x + iy."""

CANDIDATES = 50
"""So many faces, evenly spread over the data, are tried as the first reference."""


@dataclass(frozen=True)
class Frame:
    """The reference that faces are laid over.

    Attributes:
        reference: ``complex128 (K,)``, x + iy of the median face, in eye distances of a usual face.
    """

    reference: Points

    @classmethod
    def of(cls, points: ArrayLike, schema: KeypointSchema, rounds: int = 5) -> "Frame":
        """The median face of ``(N, K, 2)`` points: generalized Procrustes analysis with a median,
        so that faults do not count.

        Its unit is the distance of the schema's ``norm_pair`` in the median face. A point that no
        face has is NaN.

        Raises:
            DataError: No face has the ``norm_pair``.
        """
        faces = _complex(points)
        usable = faces[np.isfinite(faces).sum(axis=1) >= np.isfinite(faces).sum(axis=1).max() - 1]
        chosen = usable[np.unique(np.linspace(0, len(usable) - 1, CANDIDATES).astype(int))]
        filled = np.where(np.isfinite(chosen), chosen, np.nanmean(chosen, axis=1, keepdims=True))
        costs = [
            np.median(np.nanmean(np.abs(_lay(usable, one)[0] - one), axis=1))
            / np.abs(one - one.mean()).mean()
            for one in filled
        ]
        reference = filled[int(np.argmin(costs))]
        for _ in range(rounds):
            laid = _lay(faces, reference)[0]
            labeled = np.isfinite(laid).any(axis=0)
            reference = np.full(faces.shape[1], np.nan + 0j)
            reference[labeled] = np.nanmedian(laid.real[:, labeled], axis=0) + 1j * np.nanmedian(
                laid.imag[:, labeled], axis=0
            )
        right, left = schema.norm_pair
        across = reference[left] - reference[right]
        if not abs(across) > 0:
            raise DataError(
                f"no face has the points {schema.names[right]} and {schema.names[left]}, whose distance scales errors"
            )
        return cls((reference - np.nanmean(reference)) / across)

    def lay(self, points: ArrayLike) -> Matrix:
        """The points ``(N, K, 2)`` of faces where they lie once each face is laid over the
        reference, in eye distances.
        """
        return _real(_lay(_complex(points), self.reference)[0])

    def turn(self, offsets: ArrayLike, points: ArrayLike) -> Matrix:
        """Offsets ``(N, K, 2)`` in pixels, turned and zoomed like the faces ``points`` that they
        belong to: in eye distances.
        """
        return _real(_complex(offsets) * _lay(_complex(points), self.reference)[1][:, None])

    def units(self, points: ArrayLike) -> Matrix:
        """The eye distance ``(N,)`` in pixels that faces ``(N, K, 2)`` of these sizes have from the
        front.

        It is told by how far the points spread about their mean, whatever their order; a profile's
        own eye distance is short, and would make each of its points look far from its place.
        """
        faces = _complex(points)
        return _spread(faces) / _spread(np.where(np.isfinite(faces), self.reference, np.nan))


def mirror(laid: ArrayLike, schema: KeypointSchema) -> Matrix:
    """The mirror images ``(N, K, 2)`` of faces about the vertical through 0, each point under its
    new name.
    """
    return np.asarray(laid, np.float64)[:, list(schema.flip)] * (-1, 1)


def _complex(points: ArrayLike) -> Points:
    given = np.asarray(check_shape(points, "N K 2", "points"), np.float64)
    return np.asarray(given[..., 0] + 1j * given[..., 1])


def _real(points: Points) -> Matrix:
    return np.stack([points.real, points.imag], axis=-1)


def _spread(faces: Points) -> Matrix:
    """Root mean square distance ``(N,)`` of the known points of faces ``(N, K)`` from their mean."""
    middle = mean_of_known(faces.real) + 1j * mean_of_known(faces.imag)
    return np.asarray(np.sqrt(mean_of_known(np.abs(faces - middle[:, None]) ** 2)))


def _lay(faces: Points, reference: Points) -> tuple[Points, Points]:
    """Faces ``(N, K)`` laid over the reference in least squares, and the factor ``(N,)`` that
    turned and zoomed each.

    A face without two different points of the reference is NaN.
    """
    fits = fit_similarity(_real(faces), _real(reference))
    factor, shift = (fits[:, 0, i] + 1j * fits[:, 1, i] for i in (0, 2))
    return factor[:, None] * faces + shift[:, None], factor
