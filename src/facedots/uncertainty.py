"""The mathematics of a point's 2x2 covariance: probability, likelihood, ellipse.

Everywhere, an error follows a two-dimensional Student-t law with ``dof`` > 2 degrees of freedom, or
a Gaussian where that is ``None``, parametrized by the covariance itself, not by a scale matrix: it
is ``r C^(1/2) u`` with a uniform direction ``u`` and an independent Mahalanobis radius ``r``.

:func:`negative_log_likelihood` and :func:`positive_part` take NumPy arrays and torch tensors alike;
torch is not imported here.
"""

import math
import sys
from typing import TYPE_CHECKING, Any, TypeVar, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from facedots.geometry import Floats, Matrix
from facedots.schema import KeypointSchema

if TYPE_CHECKING:
    from torch import Tensor

Doubles = NDArray[np.float64]
_Array = TypeVar("_Array")

CONFIDENT_WITHIN = 0.05
"""Distance from the label, in eye distances, that ``confidence`` is the probability of."""

_DIRECTIONS = np.cos((np.arange(16) + 0.5) * np.pi / 16)
"""Cosines of the doubled angles of 16 directions in a quarter of an ellipse."""


def radius_cdf(radius: ArrayLike, dof: float | None) -> Doubles:
    """The probability ``(...)`` that the Mahalanobis radius of an error is at most ``radius``.

    >>> radius_cdf([0, 1, 2], None).round(3).tolist()
    [0.0, 0.393, 0.865]
    """
    squares = np.square(np.asarray(radius, np.float64))
    if dof is None:
        return -np.expm1(-squares / 2)
    return -np.expm1(-dof / 2 * np.log1p(squares / (dof - 2)))


def radius_quantile(probability: ArrayLike, dof: float | None) -> Doubles:
    """The inverse of :func:`radius_cdf`, for probabilities in [0, 1).

    >>> radius_quantile(0.5, None).round(4).item(), radius_quantile(0.5, 4).round(4).item()
    (1.1774, 0.9102)
    """
    beyond = np.log1p(-np.asarray(probability, np.float64))
    return np.sqrt(-2 * beyond if dof is None else (dof - 2) * np.expm1(-2 / dof * beyond))


def mahalanobis(errors: ArrayLike, covariance: ArrayLike) -> Doubles:
    """The length ``(...)`` of errors ``(..., 2)`` in standard deviations along their direction:
    ``sqrt(dᵀ C⁻¹ d)``.

    >>> mahalanobis([[3, 0], [0, 3]], [[[9, 0], [0, 1]], [[9, 0], [0, 1]]]).tolist()
    [1.0, 3.0]
    """
    arrays = np.asarray(errors, np.float64), np.asarray(covariance, np.float64)
    return np.asarray(np.sqrt(_square_and_determinant(*arrays, None)[0]))


@overload
def negative_log_likelihood(
    errors: "Tensor", covariance: "Tensor", dof: "Tensor | float | None"
) -> "Tensor": ...
@overload
def negative_log_likelihood(
    errors: ArrayLike, covariance: ArrayLike, dof: float | None
) -> Doubles: ...
def negative_log_likelihood(errors: Any, covariance: Any, dof: Any) -> Any:
    """Minus the log density ``(...)``, in nats, of errors ``(..., 2)`` under covariances
    ``(..., 2, 2)``; on average lowest under the true law.

    >>> float(negative_log_likelihood([0, 0], np.eye(2), None).round(3))  # log(2 pi)
    1.838
    """
    errors, covariance = _arrays(errors, covariance)
    square, determinant = _square_and_determinant(errors, covariance, dof)
    library = _library(errors)
    with np.errstate(divide="ignore", invalid="ignore"):
        log_area = math.log(2 * math.pi) + library.log(determinant) / 2
    tail = square / 2 if dof is None else (dof + 2) / 2 * library.log1p(square / dof)
    return log_area + tail


def positive_part(matrices: _Array) -> _Array:
    """Symmetric matrices ``(..., 2, 2)`` with negative eigenvalues raised to 0.

    >>> positive_part(np.array([[2.0, 0.0], [0.0, -1.0]])).tolist()
    [[2.0, 0.0], [0.0, 0.0]]
    """
    array: Any = matrices
    library = _library(array)
    xx, xy, yy = array[..., 0, 0], array[..., 0, 1], array[..., 1, 1]
    middle, tilt = (xx + yy) / 2, (xx - yy) / 2
    radius = library.sqrt((tilt**2 + xy**2).clip(min=1e-12))
    large, small = (middle + radius).clip(min=0), (middle - radius).clip(min=0)
    mean, stretch = (large + small) / 2, (large - small) / 2 / radius
    entries = [mean + stretch * tilt, stretch * xy, stretch * xy, mean - stretch * tilt]
    result: _Array = library.stack(entries, -1).reshape(array.shape)
    return result


def prob_within(covariance: ArrayLike, distance: ArrayLike, dof: float | None) -> Doubles:
    """The probability ``(...)`` that an error of covariance ``(..., 2, 2)`` (NaN where unknown) is
    shorter than a distance ``(...)``: a mean over directions.

    >>> float(prob_within(np.eye(2), 2, None).round(3))
    0.865
    """
    larger, smaller, _ = _principal(covariance)
    mean, stretch = (larger + smaller) / 2, (larger - smaller) / 2
    variances = mean[..., None] + stretch[..., None] * _DIRECTIONS
    reach = np.asarray(distance, np.float64)[..., None]
    # A variance of 0 is an error of 0, shorter than any distance.
    radius = np.full(np.broadcast(reach, variances).shape, np.inf)
    np.divide(reach, np.sqrt(variances), out=radius, where=variances != 0)
    return np.asarray(radius_cdf(radius, dof).mean(axis=-1))


def confidence(
    points: ArrayLike, covariance: ArrayLike, schema: KeypointSchema, dof: float | None
) -> Floats:
    """The probability ``float32 (..., K)`` that each predicted point ``(..., K, 2)`` is within 5 %
    of the predicted eye distance (``schema.norm_pair``) of its label; NaN where its covariance
    ``(..., K, 2, 2)`` is.
    """
    points = np.asarray(points, np.float64)
    first, second = schema.norm_pair
    across = points[..., first, :] - points[..., second, :]
    eyes = np.hypot(across[..., 0], across[..., 1])
    return prob_within(covariance, CONFIDENT_WITHIN * eyes[..., None], dof).astype(np.float32)


def principal_axes(covariance: ArrayLike) -> tuple[Doubles, Doubles]:
    """The standard deviations along the longer and the shorter axis ``(..., 2)``, and the direction
    of the longer one ``(...)`` in degrees within [-90, 90], clockwise as seen in an image.

    >>> lengths, angle = principal_axes([[4, 0], [0, 9]])
    >>> lengths.tolist(), float(angle)
    ([3.0, 2.0], 90.0)
    """
    larger, smaller, angle = _principal(covariance)
    return np.sqrt(np.stack([larger, smaller], axis=-1)), np.degrees(angle)


def ellipse(
    covariance: ArrayLike, probability: float, dof: float | None
) -> tuple[Doubles, Doubles]:
    """Semi-axes ``(..., 2)`` and angle, see :func:`principal_axes`, of the ellipse that holds an
    error with a probability.
    """
    lengths, angle = principal_axes(covariance)
    return lengths * radius_quantile(probability, dof), angle


def sigma_of(covariance: ArrayLike) -> Floats:
    """One standard deviation along an axis, ``float32 (...)``: the root of the mean variance."""
    array = np.asarray(covariance, np.float32)
    return np.sqrt((array[..., 0, 0] + array[..., 1, 1]) / 2)


def map_covariance(matrix: Matrix, covariance: ArrayLike) -> Floats:
    """Covariances ``float32 (..., 2, 2)`` under an affine map ``(2, 3)``: A C Aᵀ.

    >>> map_covariance(np.array([[0, -2, 5], [2, 0, 7]]), [[1, 0], [0, 3]]).tolist()
    [[12.0, 0.0], [0.0, 4.0]]
    """
    linear = matrix[:, :2]
    return np.asarray(linear @ np.asarray(covariance, np.float64) @ linear.T, np.float32)


def _library(array: object) -> Any:
    """NumPy or torch, whichever the array belongs to."""
    return sys.modules[type(array).__module__.partition(".")[0]]


def _arrays(*values: Any) -> list[Any]:
    """Tensors as they are, anything else as float64 arrays."""
    tensors = hasattr(values[0], "requires_grad")
    return list(values) if tensors else [np.asarray(value, np.float64) for value in values]


def _square_and_determinant(errors: Any, covariance: Any, dof: Any) -> tuple[Any, Any]:
    """``dᵀ S⁻¹ d`` and the determinant of S, the scale matrix of the law with covariance C."""
    xx, xy, yy = (covariance[..., i, j] for i, j in ((0, 0), (0, 1), (1, 1)))
    if dof is not None:  # a factor for each: the order in which gradients add up
        xx, xy, yy = (entry * ((dof - 2) / dof) for entry in (xx, xy, yy))
    x, y = errors[..., 0], errors[..., 1]
    determinant = xx * yy - xy**2
    with np.errstate(divide="ignore", invalid="ignore"):
        return (yy * x**2 - 2 * xy * x * y + xx * y**2) / determinant, determinant


def _principal(covariance: ArrayLike) -> tuple[Doubles, Doubles, Doubles]:
    """The larger and the smaller variance, and the direction of the larger one in radians."""
    array = np.asarray(covariance, np.float64)
    xx, yy, xy = array[..., 0, 0], array[..., 1, 1], (array[..., 0, 1] + array[..., 1, 0]) / 2
    mean, tilt = (xx + yy) / 2, (xx - yy) / 2
    radius = np.hypot(tilt, xy)
    return mean + radius, np.maximum(mean - radius, 0), np.arctan2(xy, tilt) / 2
