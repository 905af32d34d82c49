"""Whether a predicted sigma means what it says."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from facedots.evaluate.metrics import Doubles
from facedots.geometry import check_shape

_MEDIAN_RADIUS = float(np.sqrt(2 * np.log(2)))
"""Half the points of a round two-dimensional Gaussian lie within so many standard deviations (median of Rayleigh's law)."""


@dataclass(frozen=True)
class Reliability:
    """Points sorted by their predicted sigma and cut into bins of equal number. All in the unit of the sigma that was given.

    Attributes:
        sigma: ``(B,)``, root mean square of the predicted sigma in each bin.
        rms: ``(B,)``, what sigma should have been: the standard deviation along each axis of the errors in the bin.
        typical: ``(B,)``, the same estimated from the median error, which outliers do not move.
    """

    sigma: Doubles
    rms: Doubles
    typical: Doubles


def reliability(sigma: ArrayLike, errors: ArrayLike, bins: int = 10) -> Reliability:
    """Predicted sigma against the errors that came, in bins of equal number.

    Args:
        sigma: ``(N,)``, predicted standard deviation of a point along each axis; pairs with NaN or infinity in them are left out.
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
