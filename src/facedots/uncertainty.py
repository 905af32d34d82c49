"""What a point's covariance says: how far off the point may be, and how likely so. NumPy only.

A network gives each point a covariance C, and with :attr:`ModelSpec.tail
<facedots.spec.ModelSpec.tail>` the law of its errors: a two-dimensional Student law with that many
degrees of freedom, or a Gaussian where it is ``None``. Both are elliptical: an error is ``r C^(1/2)
u`` with a direction ``u`` that is uniform on the circle and a Mahalanobis radius ``r`` that does
not depend on it. The Student law is written so that C is the covariance itself, which needs more
than two degrees of freedom.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from facedots.geometry import Floats, Matrix
from facedots.schema import KeypointSchema

Doubles = NDArray[np.float64]

CONFIDENT_WITHIN = 0.05
"""Eye distances by which a point may be off and still be where people put it: what ``confidence``
is the probability of.
"""

_TURNS = np.cos((np.arange(16) + 0.5) * np.pi / 16)
"""Cosines of twice the angles at which an ellipse is looked at: 16 in a quarter of it stand for 64
all around.
"""


def radius_cdf(radius: ArrayLike, dof: float | None) -> Doubles:
    """The probability that the Mahalanobis radius of an error is at most ``radius``, of any shape.

    >>> radius_cdf([0, 1, 2], None).round(3).tolist()
    [0.0, 0.393, 0.865]
    """
    squares = np.square(np.asarray(radius, np.float64))
    if dof is None:
        return -np.expm1(-squares / 2)
    return -np.expm1(-dof / 2 * np.log1p(squares / (dof - 2)))


def radius_quantile(probability: ArrayLike, dof: float | None) -> Doubles:
    """The Mahalanobis radius within which an error lies with this probability, in [0, 1); the
    inverse of :func:`radius_cdf`.

    >>> radius_quantile(0.5, None).round(4).item(), radius_quantile(0.5, 4).round(4).item()
    (1.1774, 0.9102)
    """
    beyond = np.log1p(-np.asarray(probability, np.float64))
    return np.sqrt(-2 * beyond if dof is None else (dof - 2) * np.expm1(-2 / dof * beyond))


def within(covariance: ArrayLike, distance: ArrayLike, dof: float | None) -> Doubles:
    """The probability ``(...)`` that an error is shorter than a distance.

    Given a direction it is a matter of the radius alone, so this is a mean over directions. It
    depends on the variances along the axes of the ellipse only; taken there, a few directions are
    enough.

    Args:
        covariance: ``(..., 2, 2)``; NaN where unknown, and then so is the probability.
        distance: ``(...)``, in the unit whose square the covariance has.
        dof: Degrees of freedom of the law of the errors, above 2; ``None`` for a Gaussian.

    >>> float(within(np.eye(2), 2, None).round(3))
    0.865
    """
    larger, smaller, _ = _principal(covariance)
    variances = (larger + smaller)[..., None] / 2 + (larger - smaller)[..., None] / 2 * _TURNS
    reach = np.asarray(distance, np.float64)[..., None]
    # A variance of 0 is an error of 0: every distance is beyond it.
    radius = np.divide(
        reach,
        np.sqrt(variances),
        out=np.full(np.broadcast(reach, variances).shape, np.inf),
        where=variances != 0,
    )
    return np.asarray(radius_cdf(radius, dof).mean(axis=-1))


def confidence(
    points: ArrayLike, covariance: ArrayLike, schema: KeypointSchema, dof: float | None
) -> Floats:
    """The probability ``float32 (..., K)`` that each point is within 5 % of the eye distance of
    where people put it.

    The eye distance is that of the predicted points (``schema.norm_pair``).

    Args:
        points: ``(..., K, 2)``.
        covariance: ``(..., K, 2, 2)``, in the square of the points' unit; NaN where unknown, and
            then so is the probability.
        schema: What the points mean.
        dof: Degrees of freedom of the law of the errors; ``None`` for a Gaussian.
    """
    places = np.asarray(points, np.float64)
    first, second = schema.norm_pair
    eyes = np.hypot(*np.moveaxis(places[..., first, :] - places[..., second, :], -1, 0))
    return within(covariance, CONFIDENT_WITHIN * eyes[..., None], dof).astype(np.float32)


def axes(covariance: ArrayLike) -> tuple[Doubles, Doubles]:
    """How far, and whereto, one standard deviation reaches.

    Returns:
        The standard deviations along the longer and the shorter axis ``(..., 2)``, and the
        direction of the longer one ``(...)`` in degrees within [-90, 90], from x towards y:
        clockwise as seen in an image.

    >>> lengths, angle = axes([[4, 0], [0, 9]])
    >>> lengths.tolist(), float(angle)
    ([3.0, 2.0], 90.0)
    """
    larger, smaller, angle = _principal(covariance)
    return np.sqrt(np.stack([larger, smaller], axis=-1)), np.degrees(angle)


def ellipse(
    covariance: ArrayLike, probability: float, dof: float | None
) -> tuple[Doubles, Doubles]:
    """The ellipse around a point that holds the truth with this probability: semi-axes ``(..., 2)``
    and angle as :func:`axes`.
    """
    lengths, angle = axes(covariance)
    return lengths * radius_quantile(probability, dof), angle


def sigma_of(covariance: ArrayLike) -> Floats:
    """One standard deviation along an axis, ``float32 (...)``: the root of the mean of the two
    variances.
    """
    given = np.asarray(covariance, np.float32)
    return np.sqrt((given[..., 0, 0] + given[..., 1, 1]) / 2)


def round_covariance(sigma: ArrayLike) -> Floats:
    """The covariance ``float32 (..., 2, 2)`` of an error that is the same in all directions.

    >>> round_covariance([3]).tolist()
    [[[9.0, 0.0], [0.0, 9.0]]]
    """
    given = np.asarray(sigma, np.float32)
    return np.asarray(
        np.square(given)[..., None, None]
        * np.where(np.isnan(given)[..., None, None], 1, np.eye(2)),
        np.float32,
    )


def map_covariance(matrix: Matrix, covariance: ArrayLike) -> Floats:
    """Covariances ``float32 (..., 2, 2)`` under an affine map ``(2, 3)``: A C Aᵀ.

    >>> map_covariance(np.array([[0, -2, 5], [2, 0, 7]]), [[1, 0], [0, 3]]).tolist()
    [[12.0, 0.0], [0.0, 4.0]]
    """
    linear = matrix[:, :2]
    return np.asarray(linear @ np.asarray(covariance, np.float64) @ linear.T, np.float32)


def _principal(covariance: ArrayLike) -> tuple[Doubles, Doubles, Doubles]:
    """The larger and the smaller variance, and the direction of the larger one in radians: of a 2 x
    2 matrix, in closed form.
    """
    given = np.asarray(covariance, np.float64)
    mean = (given[..., 0, 0] + given[..., 1, 1]) / 2
    lean, skew = (
        (given[..., 0, 0] - given[..., 1, 1]) / 2,
        (given[..., 0, 1] + given[..., 1, 0]) / 2,
    )
    spread = np.hypot(lean, skew)
    return mean + spread, np.maximum(mean - spread, 0), np.arctan2(skew, lean) / 2
