"""Whether a predicted covariance means what it says: regions that hold as many points as they
promise, likelihood, bins.

A network says how its errors are spread: with a covariance in the plane and a tail (see
:mod:`facedots.uncertainty`). Here that is held against the errors that came. Arrays may have any
leading shape ``(...)``; what is NaN was not predicted or has no label.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from facedots.evaluation.metrics import Doubles
from facedots.geometry import check_shape
from facedots.uncertainty import mahalanobis, radius_cdf

_MEDIAN_RADIUS = float(np.sqrt(2 * np.log(2)))
"""Half the points of a round two-dimensional Gaussian lie within so many standard deviations
(median of Rayleigh's law).
"""


def coverage_probability(residuals: ArrayLike, covariance: ArrayLike, dof: float | None) -> Doubles:
    """The probability ``(...)`` of the smallest elliptical region around the prediction that holds
    the truth.

    Where covariances are right, these numbers are spread evenly over [0, 1]: the 90 % region holds
    the truth if its number is at most 0.9 (the probability integral transform).

    >>> coverage_probability([[1.1774, 0.0]], [np.eye(2)], None).round(3).tolist()
    [0.5]
    """
    return radius_cdf(mahalanobis(residuals, covariance), dof)


def coverage(probabilities: ArrayLike, promised: float) -> float:
    """The share of points, in percent, that lie in their region of a probability; NaN without any
    known point.

    Args:
        probabilities: Of :func:`coverage_probability`.
        promised: In [0, 1]; the result should be 100 times that.

    >>> coverage([0.2, 0.5, 0.95, np.nan], 0.9).__round__(1)
    66.7
    """
    known = _known(probabilities)
    return float(100 * np.mean(known <= promised)) if len(known) else np.nan


@dataclass(frozen=True)
class ConfidenceBins:
    """Points in ten bins of their confidence, each 10 % wide; B bins have points. In percent.

    Attributes:
        said: ``(B,)``, mean confidence in each bin.
        came: ``(B,)``, share of its points that are as near as confidence is about.
        share: ``(B,)``, share of all points that are in the bin.
    """

    said: Doubles
    came: Doubles
    share: Doubles

    @property
    def gap(self) -> float:
        """By how much confidence is wrong, on average over the points (expected calibration error);
        NaN without points.
        """
        return (
            float(np.sum(self.share * np.abs(self.said - self.came)) / 100)
            if len(self.share)
            else np.nan
        )


def confidence_bins(confidence: ArrayLike, near: ArrayLike) -> ConfidenceBins:
    """Predicted probabilities against what came.

    Args:
        confidence: ``(N,)`` in [0, 1]; NaN is left out.
        near: ``bool (N,)``, whether the point was as near as the confidence is about.

    >>> bins = confidence_bins([0.92, 0.98, 0.5, np.nan], [True, False, True, True])
    >>> bins.said.round(6).tolist(), bins.came.tolist(), bins.share.round(1).tolist()
    ([50.0, 95.0], [100.0, 50.0], [33.3, 66.7])
    """
    said = np.asarray(check_shape(confidence, "N", "confidence"), np.float64)
    came = np.asarray(check_shape(near, str(len(said)), "near"), bool)[np.isfinite(said)]
    said = _known(said)
    place = np.minimum((said * 10).astype(int), 9)
    parts = [place == i for i in np.unique(place)]
    return ConfidenceBins(
        said=np.array([100 * said[part].mean() for part in parts]),
        came=np.array([100 * came[part].mean() for part in parts]),
        share=np.array([100 * part.mean() for part in parts]),
    )


@dataclass(frozen=True)
class Reliability:
    """Points sorted by their predicted sigma and cut into bins of equal number. All in the unit of
    the sigma that was given.

    Attributes:
        sigma: ``(B,)``, root mean square of the predicted sigma in each bin.
        rms: ``(B,)``, what sigma should have been: the standard deviation along each axis of the
            errors in the bin.
        typical: ``(B,)``, the same estimated from the median error, which outliers do not move.
    """

    sigma: Doubles
    rms: Doubles
    typical: Doubles


def reliability(sigma: ArrayLike, errors: ArrayLike, bins: int = 10) -> Reliability:
    """Predicted sigma against the errors that came, in bins of equal number.

    Args:
        sigma: ``(N,)``, predicted standard deviation of a point along each axis; pairs with NaN or
            infinity in them are left out.
        errors: ``(N,)``, the distance of the predicted from the true point, in the same unit.
        bins: B, fewer if there are fewer points.

    >>> result = reliability([1, 1, 2, 2], [1, 1, 2, 4], bins=2)
    >>> result.sigma.tolist(), (result.rms**2).round(6).tolist()
    ([1.0, 2.0], [0.5, 5.0])
    """
    said = np.asarray(check_shape(sigma, "N", "sigma"), np.float64)
    came = np.asarray(check_shape(errors, str(len(said)), "errors"), np.float64)
    known = np.isfinite(said) & np.isfinite(came)
    order = np.argsort(said[known], kind="stable")
    parts = [part for part in np.array_split(order, bins) if len(part)]
    said, came = said[known], came[known]
    return Reliability(
        sigma=np.array([np.sqrt(np.mean(said[part] ** 2)) for part in parts]),
        # A squared distance is the sum of two squared residuals, one an axis.
        rms=np.array([np.sqrt(np.mean(came[part] ** 2) / 2) for part in parts]),
        typical=np.array([np.median(came[part]) / _MEDIAN_RADIUS for part in parts]),
    )


def _known(values: ArrayLike) -> Doubles:
    given = np.asarray(values, np.float64).ravel()
    return given[~np.isnan(given)]


BAD_NME = 8.0
"""A face with an NME above this, in percent, is one that somebody should look at again."""


@dataclass(frozen=True)
class Sparsification:
    """The mean error of what remains when the least sure of N cases are left out one after the
    other.

    Attributes:
        removed: ``(N,)``, share of the cases left out, in percent, from 0 to just below 100.
        remaining: ``(N,)``, mean error of the others; where several are equally sure, on average
            over their orders.
        best: ``(N,)``, the same if the largest errors went first: no uncertainty can do better.
        random: Mean error of all: what remains, on average, if cases are left out at random.
    """

    removed: Doubles
    remaining: Doubles
    best: Doubles
    random: float

    @property
    def ause(self) -> float:
        """Area under the sparsification error, in percent of that of leaving out at random: 0 is
        perfect, 100 is worth nothing.

        The sparsification error is ``remaining - best``. NaN if all errors are the same, since then
        no order is better.
        """
        worst = float(np.sum(self.random - self.best))
        return (
            100 * float(np.sum(self.remaining - self.best)) / worst
            if worst > 1e-9 * len(self.best) * self.random
            else np.nan
        )


def sparsification(errors: ArrayLike, uncertainty: ArrayLike) -> Sparsification:
    """What remains of errors ``(N,)`` when the cases with the largest uncertainty ``(N,)`` are left
    out.

    Cases where either is not finite are left out from the start.

    >>> result = sparsification([4, 1, 1], [9, 2, 3])
    >>> result.remaining.tolist(), result.ause
    ([2.0, 1.0, 1.0], 0.0)
    """
    came, said = _pairs(errors, uncertainty)
    order = np.argsort(said, kind="stable")
    came, said = came[order], said[order]
    if not len(came):
        return Sparsification(came, came, came, np.nan)
    _, which, counts = np.unique(said, return_inverse=True, return_counts=True)
    expected = (np.bincount(which, came) / counts)[which]
    left = np.arange(len(came), 0, -1)
    return Sparsification(
        removed=100 * np.arange(len(came)) / len(came),
        remaining=np.cumsum(expected)[::-1] / left,
        best=np.cumsum(np.sort(came))[::-1] / left,
        random=float(came.mean()),
    )


def failure_recall(
    errors: ArrayLike, uncertainty: ArrayLike, bad: float = BAD_NME, drop: float = 0.1
) -> float:
    """The share of bad cases, in percent, that go when the least sure ones are dropped; NaN if none
    is bad.

    Args:
        errors: ``(N,)``; cases where it or the uncertainty is not finite do not count.
        uncertainty: ``(N,)``.
        bad: Cases with a larger error are bad.
        drop: The share of all cases to drop, rounded to whole cases; of equally sure ones, each as
            likely as another.

    >>> failure_recall([9, 9, 1, 1, 1, 1, 1, 1, 1, 1], [5, 1, 1, 1, 1, 1, 1, 1, 1, 1])
    50.0
    """
    came, said = _pairs(errors, uncertainty)
    is_bad = came > bad
    count = round(drop * len(said))
    if not is_bad.any() or not count:
        return np.nan
    limit = np.sort(said)[-count]
    surely, maybe = said > limit, said == limit
    chance = (count - surely.sum()) / maybe.sum()
    return float(100 * (is_bad[surely].sum() + chance * is_bad[maybe].sum()) / is_bad.sum())


def _pairs(errors: ArrayLike, uncertainty: ArrayLike) -> tuple[Doubles, Doubles]:
    came = np.asarray(check_shape(errors, "N", "errors"), np.float64)
    said = np.asarray(check_shape(uncertainty, str(len(came)), "uncertainty"), np.float64)
    known = np.isfinite(came) & np.isfinite(said)
    return came[known], said[known]
