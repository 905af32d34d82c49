"""Errors of predicted points and their summaries. NumPy only; every number is exact.

Shapes: N faces, K points. A point without a label (NaN in ``true``) counts nowhere. A labeled
point without a prediction (NaN in ``predicted``) has an infinite error, so a missed face has the
NME ``inf``: it fails every threshold and adds nothing to the area under the curve.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from facedots.geometry import check_shape
from facedots.schema import KeypointSchema
from facedots.uncertainty import Doubles


def known_mean(values: ArrayLike, axis: int = -1) -> Doubles:
    """The mean over an axis without NaN, like ``np.nanmean``; NaN, without a warning, where there
    is nothing else.

    >>> known_mean([[1, np.nan, 3], [np.nan, np.nan, np.nan]])
    array([ 2., nan])
    """
    numbers = np.asarray(values, np.float64)
    known = ~np.isnan(numbers)
    count = known.sum(axis=axis)
    total: Doubles = np.where(known, numbers, 0).sum(axis=axis)
    return total / np.where(count > 0, count, np.nan)


def point_errors(predicted: ArrayLike, true: ArrayLike) -> Doubles:
    """The distance ``(N, K)`` in pixels between predicted and true points, both ``(N, K, 2)``: NaN
    where the true point is missing, ``inf`` where only the predicted one is.

    >>> point_errors([[[3, 4], [1, 1], [np.nan, 0]]], [[[0, 0], [np.nan, 1], [0, 0]]]).tolist()
    [[5.0, nan, inf]]
    """
    labels = np.asarray(check_shape(true, "N K 2", "true points"), np.float64)
    shape = "{} {} 2".format(*labels.shape)
    points = np.asarray(check_shape(predicted, shape, "predicted points"), np.float64)
    x, y = np.moveaxis(points - labels, -1, 0)
    errors: Doubles = np.hypot(x, y)
    errors[np.isnan(points).any(axis=-1)] = np.inf
    errors[np.isnan(labels).any(axis=-1)] = np.nan
    return errors


def norm_distances(true: ArrayLike, schema: KeypointSchema) -> Doubles:
    """The distance ``(N,)`` in pixels of the schema's ``norm_pair`` (of iBUG's 68 points: the outer
    corners of the eyes); NaN where a point of it is missing or both coincide.
    """
    points = np.asarray(check_shape(true, f"N {schema.count} 2", "true points"), np.float64)
    first, second = schema.norm_pair
    distances = np.hypot(*(points[:, first] - points[:, second]).T)
    return np.where(distances > 0, distances, np.nan)


def nme(predicted: ArrayLike, true: ArrayLike, schema: KeypointSchema) -> Doubles:
    """The normalized mean error ``(N,)``: a face's mean error in percent of its
    :func:`norm_distances`; NaN where a face has no label to measure by.
    """
    return 100 * known_mean(point_errors(predicted, true)) / norm_distances(true, schema)


def nme_by_region(
    predicted: ArrayLike, true: ArrayLike, schema: KeypointSchema
) -> dict[str, Doubles]:
    """The NME ``(N,)`` over each region's points; NaN for a face without a label in it."""
    errors, distances = point_errors(predicted, true), norm_distances(true, schema)
    return {
        region: 100 * known_mean(errors[:, list(points)]) / distances
        for region, points in schema.regions.items()
    }


def constant_shift(predicted: ArrayLike, true: ArrayLike) -> Doubles:
    """The shift ``(dx, dy)`` in pixels that all predictions have in common: the median of predicted
    minus true over all points of all faces; NaN if nothing was predicted.

    >>> constant_shift([[[2, 0], [3, 1], [99, 99]]], [[[1, 0], [2, 1], [3, 3]]]).tolist()
    [1.0, 0.0]
    """
    residuals = (np.asarray(predicted, np.float64) - np.asarray(true, np.float64)).reshape(-1, 2)
    residuals = residuals[np.isfinite(residuals).all(axis=1)]
    return np.median(residuals, axis=0) if len(residuals) else np.full(2, np.nan)


def shift_free_nme(predicted: ArrayLike, true: ArrayLike, schema: KeypointSchema) -> Doubles:
    """NME*: the NME ``(N,)`` once the :func:`constant_shift` of all faces is removed, by which the
    pixel conventions of data sets differ.
    """
    shift = np.nan_to_num(constant_shift(predicted, true))
    return nme(np.asarray(predicted, np.float64) - shift, true, schema)


def failure_rate(errors: ArrayLike, threshold: float = 10.0) -> float:
    """The percentage of faces whose NME ``(N,)`` is above the threshold, both in percent.

    Raises:
        ValueError: No face, or NaN among them.

    >>> failure_rate([3, 10, 10.5, np.inf])
    50.0
    """
    return float(100 * np.mean(_measured(errors) > threshold))


def auc(errors: ArrayLike, threshold: float = 10.0) -> float:
    """The exact area under the cumulative error curve from 0 to the threshold, in percent of the
    whole: 100 if all errors are 0.

    Raises:
        ValueError: No face, or NaN among them.

    >>> auc([0, 5, 20])
    50.0
    """
    return float(100 * np.mean(np.maximum(0, 1 - _measured(errors) / threshold)))


@dataclass(frozen=True)
class Accuracy:
    """Errors of a set of faces, in percent unless another unit is named.

    Attributes:
        n: Number of faces measured, including missed ones.
        missed: Number of faces without a prediction.
        nme: Mean NME of the faces that were not missed.
        nme_median: Median NME of all n faces.
        fr10: Share of all n faces with NME > 10 %, see :func:`failure_rate`.
        auc10: Area under the curve of all n faces up to 10 %, see :func:`auc`.
        nme_by_region: Mean NME of each region's points, over the faces that were not missed.
        nme_shift_free: Mean NME* of the same faces, see :func:`shift_free_nme`.
        shift_px: The shift (dx, dy) in pixels that NME* removes.

    Example:
        >>> square = np.array([[[0, 0], [10, 0]]])
        >>> schema = KeypointSchema("eyes", ("r", "l"), {"eyes": (0, 1)}, (1, 0), (), (0, 1))
        >>> measure_accuracy(square + [[[0, 0], [0, 1]]], square, schema).nme
        5.0
    """

    n: int
    missed: int
    nme: float
    nme_median: float
    fr10: float
    auc10: float
    nme_by_region: dict[str, float]
    nme_shift_free: float
    shift_px: tuple[float, float]

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers for JSON, to four decimals; unknown ones are ``None``."""
        numbers: dict[str, Any] = plain(vars(self))
        return numbers


def measure_accuracy(predicted: ArrayLike, true: ArrayLike, schema: KeypointSchema) -> Accuracy:
    """The accuracy of predicted against true points, both ``(N, K, 2)``.

    Raises:
        ValueError: No face, or one that cannot be measured.
    """
    errors = _measured(nme(predicted, true, schema))
    detected = np.isfinite(errors)
    by_region = nme_by_region(predicted, true, schema)
    dx, dy = constant_shift(predicted, true).tolist()
    return Accuracy(
        n=len(errors),
        missed=int(np.sum(~detected)),
        nme=finite_mean(errors),
        nme_median=float(np.median(errors)),
        fr10=failure_rate(errors),
        auc10=auc(errors),
        nme_by_region={name: finite_mean(values[detected]) for name, values in by_region.items()},
        nme_shift_free=finite_mean(shift_free_nme(predicted, true, schema)),
        shift_px=(dx, dy),
    )


def finite_mean(values: ArrayLike) -> float:
    """The mean of the finite values, of any shape; NaN if there are none.

    >>> finite_mean([1, np.nan, 3, np.inf])
    2.0
    """
    numbers = np.asarray(values, np.float64)
    numbers = numbers[np.isfinite(numbers)]
    return float(numbers.mean()) if len(numbers) else np.nan


def worst_tenth(values: ArrayLike) -> float:
    """The mean of the largest tenth (rounded up) of the finite values; NaN if there are none.

    >>> worst_tenth([9, 5, 4])
    9.0
    """
    numbers = np.asarray(values, np.float64)
    numbers = np.sort(numbers[np.isfinite(numbers)])[::-1]
    return finite_mean(numbers[: -(-len(numbers) // 10)])


def plain(value: Any) -> Any:
    """Numbers, also in dicts and sequences, for JSON: to four decimals, ``None`` if not finite.

    >>> plain({"a": (0.123456, np.inf), "n": 3})
    {'a': [0.1235, None], 'n': 3}
    """
    if isinstance(value, dict):
        return {name: plain(item) for name, item in value.items()}
    if isinstance(value, tuple | list):
        return [plain(item) for item in value]
    if isinstance(value, float):
        return round(float(value), 4) if np.isfinite(value) else None
    return value


def _measured(errors: ArrayLike) -> Doubles:
    values = np.asarray(check_shape(errors, "N", "errors"), np.float64)
    unknown = np.isnan(values).sum()
    if not len(values) or unknown:
        text = f"{len(values)} faces, {unknown} of them not measurable: leave those out first"
        raise ValueError(text)
    return values
