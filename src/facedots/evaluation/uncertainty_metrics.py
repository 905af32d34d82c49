"""Metrics of predicted uncertainty: coverage, calibration, sparsification. NumPy only.

Arrays may have any leading shape ``(...)``; NaN is a point without a prediction or a label. The
law of the errors is that of :mod:`facedots.uncertainty`.
"""

import numpy as np
from numpy.typing import ArrayLike

from facedots.geometry import check_shape
from facedots.uncertainty import Doubles, mahalanobis, radius_cdf

_MEDIAN_RADIUS = float(np.sqrt(2 * np.log(2)))
"""Median distance of a round two-dimensional Gaussian, in standard deviations (Rayleigh)."""

FAILURE_NME = 8.0
"""NME in percent above which a face counts as a failure in :func:`failure_recall`."""


def coverage_probability(residuals: ArrayLike, covariance: ArrayLike, dof: float | None) -> Doubles:
    """The probability ``(...)`` of the smallest elliptical region around the prediction that holds
    the true point, from predicted minus true points ``(..., 2)`` and covariances ``(..., 2, 2)``;
    uniform over [0, 1] where these are right.

    >>> coverage_probability([[1.1774, 0.0]], [np.eye(2)], None).round(3).tolist()
    [0.5]
    """
    return radius_cdf(mahalanobis(residuals, covariance), dof)


def coverage(probabilities: ArrayLike, nominal: float) -> float:
    """The percentage of points inside their region of a nominal probability in [0, 1], which it
    should equal; NaN without any point.

    >>> coverage([0.2, 0.5, 0.95, np.nan], 0.9).__round__(1)  # of coverage_probability
    66.7
    """
    values = np.asarray(probabilities, np.float64).ravel()
    values = values[~np.isnan(values)]
    return float(100 * np.mean(values <= nominal)) if len(values) else np.nan


def confidence_bins(confidence: ArrayLike, within: ArrayLike) -> Doubles:
    """Points in ten bins of their confidence, of which B have points, in percent ``(3, B)``: mean
    confidence, share of a bin's points within the distance of the confidence, share of all points.

    Args:
        confidence: ``(N,)`` in [0, 1]; NaN is left out.
        within: ``bool (N,)``, whether the point was within the distance.

    >>> confidence_bins([0.92, 0.98, 0.5, np.nan], [True, False, True, True]).round(1).tolist()
    [[50.0, 95.0], [100.0, 50.0], [33.3, 66.7]]
    """
    predicted = np.asarray(check_shape(confidence, "N", "confidence"), np.float64)
    observed = np.asarray(check_shape(within, str(len(predicted)), "within"), bool)
    valid = ~np.isnan(predicted)
    predicted, observed = predicted[valid], observed[valid]
    place = np.minimum((predicted * 10).astype(int), 9)
    bins = [place == i for i in np.unique(place)]
    rows = [(predicted[chosen].mean(), observed[chosen].mean(), chosen.mean()) for chosen in bins]
    return 100 * np.array(rows, np.float64).reshape(-1, 3).T


def ece(bins: ArrayLike) -> float:
    """Expected calibration error of :func:`confidence_bins`: mean absolute difference of confidence
    and observed share, in percentage points; NaN without points.

    >>> ece(confidence_bins([0.9, 0.9], [True, False]))
    40.0
    """
    predicted, observed, share = np.asarray(bins, np.float64)
    return float(np.sum(share * np.abs(predicted - observed)) / 100) if len(share) else np.nan


def reliability(sigma: ArrayLike, errors: ArrayLike, bins: int = 10) -> Doubles:
    """Predicted sigma ``(N,)`` against observed errors ``(N,)``, distances in the same unit, sorted
    by sigma in B bins of equal count; pairs that are not finite are left out.

    Returns:
        ``(3, B)``: root mean square of sigma, standard deviation of the errors along each axis, and
        the same estimated from the median error, which ignores outliers.

    >>> (reliability([1, 1, 2, 2], [1, 1, 2, 4], bins=2)[:2] ** 2).round(6).tolist()
    [[1.0, 4.0], [0.5, 5.0]]
    """
    observed, predicted = _sorted_pairs(errors, sigma)
    parts = [part for part in np.array_split(np.arange(len(predicted)), bins) if len(part)]
    rows = [
        (
            np.sqrt(np.mean(predicted[part] ** 2)),
            # A squared distance is the sum of two squared residuals, one per axis.
            np.sqrt(np.mean(observed[part] ** 2) / 2),
            np.median(observed[part]) / _MEDIAN_RADIUS,
        )
        for part in parts
    ]
    return np.array(rows, np.float64).reshape(-1, 3).T


def sparsification(errors: ArrayLike, uncertainty: ArrayLike) -> Doubles:
    """The mean error of the remaining of N cases after 0, 1, … removals, ``(2, N)``: the most
    uncertain first (averaged over the orders of equal ones), and the largest errors first (the
    oracle). Cases with a value that is not finite do not count.

    >>> sparsification([4, 1, 1], [9, 2, 3]).tolist()
    [[2.0, 1.0, 1.0], [2.0, 1.0, 1.0]]
    """
    observed, predicted = _sorted_pairs(errors, uncertainty)
    if not len(observed):
        return np.zeros((2, 0))
    _, groups, counts = np.unique(predicted, return_inverse=True, return_counts=True)
    expected = (np.bincount(groups, observed) / counts)[groups]
    return np.cumsum([expected, np.sort(observed)], axis=1)[:, ::-1] / np.arange(
        len(observed), 0, -1
    )


def ause(curves: ArrayLike) -> float:
    """Area under the error of :func:`sparsification` (curve - oracle), in percent of that of random
    removals: 0 is perfect, 100 is worthless. NaN if all errors are equal.

    >>> ause(sparsification([4, 1, 1], [9, 2, 3])), ause(sparsification([4, 1, 1], [1, 1, 1]))
    (0.0, 100.0)
    """
    remaining, oracle = np.asarray(curves, np.float64)
    random = float(remaining[0]) if len(remaining) else np.nan
    worst = float(np.sum(random - oracle))
    if not worst > 1e-9 * len(oracle) * random:
        return np.nan
    return 100 * float(np.sum(remaining - oracle)) / worst


def failure_recall(
    errors: ArrayLike, uncertainty: ArrayLike, threshold: float = FAILURE_NME, fraction: float = 0.1
) -> float:
    """The percentage of failures (errors above the threshold) among a fraction of cases ``(N,)``,
    the most uncertain ones; NaN if there is no failure.

    Of equally uncertain cases, each is as likely as another; those with a value that is not finite
    do not count.

    >>> failure_recall([9, 9, 1, 1, 1, 1, 1, 1, 1, 1], [5, 1, 1, 1, 1, 1, 1, 1, 1, 1])
    50.0
    """
    observed, predicted = _sorted_pairs(errors, uncertainty)
    failures = observed > threshold
    count = round(fraction * len(predicted))
    if not failures.any() or not count:
        return np.nan
    limit = predicted[-count]
    above, tied = predicted > limit, predicted == limit
    chance = (count - above.sum()) / tied.sum()
    return float(100 * (failures[above].sum() + chance * failures[tied].sum()) / failures.sum())


def auroc(positive: ArrayLike, negative: ArrayLike) -> float:
    """The area under the ROC curve in percent: the probability that one of the positive scores
    ``(N,)`` is above one of the negative ones ``(M,)``, a tie counting one half; NaN without both.

    >>> auroc([0.9, 0.5], [0.5, 0.1])
    87.5
    """
    above = np.asarray(check_shape(positive, "N", "positive scores"), np.float64)
    below = np.sort(np.asarray(check_shape(negative, "N", "negative scores"), np.float64))
    if not len(above) or not len(below):
        return np.nan
    lower, equal_or_lower = (np.searchsorted(below, above, side) for side in ("left", "right"))
    return float(50 * np.mean(lower + equal_or_lower) / len(below))


def _sorted_pairs(errors: ArrayLike, uncertainty: ArrayLike) -> tuple[Doubles, Doubles]:
    """Errors and uncertainties ``(N,)``, both finite, by increasing uncertainty."""
    observed = np.asarray(check_shape(errors, "N", "errors"), np.float64)
    predicted = np.asarray(check_shape(uncertainty, str(len(observed)), "uncertainty"), np.float64)
    finite = np.isfinite(observed) & np.isfinite(predicted)
    observed, predicted = observed[finite], predicted[finite]
    order = np.argsort(predicted, kind="stable")
    return observed[order], predicted[order]
