"""How wrong predicted points are. NumPy only; every number is exact, none is read off a grid.

Shapes: N faces, K points. A point without a label (NaN in ``true``) counts nowhere. A labeled point
without a prediction (NaN in ``predicted``) is infinitely wrong, so a face that was missed has the
NME ``inf``: it fails every threshold and adds nothing to the area under the curve.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from facedots.geometry import check_shape
from facedots.schema import KeypointSchema

Doubles = NDArray[np.float64]


def point_errors(predicted: ArrayLike, true: ArrayLike) -> Doubles:
    """The distance ``(N, K)`` in pixels between predicted and true points, both ``(N, K, 2)``.

    NaN where the true point is missing, ``inf`` where only the predicted one is.

    Raises:
        ShapeError: The two do not have the same shape (N, K, 2).

    >>> point_errors([[[3, 4], [1, 1], [np.nan, 0]]], [[[0, 0], [np.nan, 1], [0, 0]]]).tolist()
    [[5.0, nan, inf]]
    """
    wanted = np.asarray(check_shape(true, "N K 2", "true points"), np.float64)
    given = np.asarray(
        check_shape(predicted, "{} {} 2".format(*wanted.shape), "predicted points"), np.float64
    )
    errors = np.asarray(np.hypot(*np.moveaxis(given - wanted, -1, 0)), np.float64)
    errors[np.isnan(given).any(axis=-1)] = np.inf
    errors[np.isnan(wanted).any(axis=-1)] = np.nan
    return errors


def norm_distances(true: ArrayLike, schema: KeypointSchema) -> Doubles:
    """The distance ``(N,)`` in pixels between the schema's ``norm_pair``; NaN where a point of it
    is missing or both coincide.

    For iBUG's 68 points: the outer corners of the eyes.
    """
    points = np.asarray(check_shape(true, f"N {schema.count} 2", "true points"), np.float64)
    first, second = schema.norm_pair
    distances = np.hypot(*(points[:, first] - points[:, second]).T)
    return np.where(distances > 0, distances, np.nan)


def nme(predicted: ArrayLike, true: ArrayLike, schema: KeypointSchema) -> Doubles:
    """The normalized mean error ``(N,)`` in percent: mean distance of a face's points over its
    :func:`norm_distances`.

    NaN where a face has no label to measure by, ``inf`` where a labeled point has no prediction.
    """
    return 100 * _mean_of_labeled(point_errors(predicted, true)) / norm_distances(true, schema)


def nme_by_region(
    predicted: ArrayLike, true: ArrayLike, schema: KeypointSchema
) -> dict[str, Doubles]:
    """The NME ``(N,)`` in percent of each region's points alone; NaN for a face without a label in
    the region.
    """
    errors, distances = point_errors(predicted, true), norm_distances(true, schema)
    return {
        region: 100 * _mean_of_labeled(errors[:, list(points)]) / distances
        for region, points in schema.regions.items()
    }


def constant_shift(predicted: ArrayLike, true: ArrayLike) -> Doubles:
    """The one shift ``(dx, dy)`` in pixels that predictions have in common: the median of predicted
    minus true.

    Over all points of all faces, each axis for itself; a median, so that failures do not move it.
    NaN if nothing was predicted.

    >>> constant_shift([[[2, 0], [3, 1], [99, 99]]], [[[1, 0], [2, 1], [3, 3]]]).tolist()
    [1.0, 0.0]
    """
    residuals = (np.asarray(predicted, np.float64) - np.asarray(true, np.float64)).reshape(-1, 2)
    residuals = residuals[np.isfinite(residuals).all(axis=1)]
    return np.median(residuals, axis=0) if len(residuals) else np.full(2, np.nan)


def shift_free_nme(predicted: ArrayLike, true: ArrayLike, schema: KeypointSchema) -> Doubles:
    """NME*: the NME ``(N,)`` in percent after the :func:`constant_shift` of all faces together is
    taken off.

    Labels of one data set often sit one pixel beside another's for no better reason than how pixels
    are counted; NME* compares networks without that. The shift is taken in pixels, as such
    displacements are, not in parts of the face.
    """
    shift = np.nan_to_num(constant_shift(predicted, true))
    return nme(np.asarray(predicted, np.float64) - shift, true, schema)


def failure_rate(errors: ArrayLike, threshold: float = 10.0) -> float:
    """The share of faces, in percent, whose NME ``(N,)`` is above the threshold (both in percent).

    Raises:
        ValueError: No face, or NaN among them: leave out what cannot be measured first.

    >>> failure_rate([3, 10, 10.5, np.inf])
    50.0
    """
    return float(100 * np.mean(_measured(errors) > threshold))


def auc(errors: ArrayLike, threshold: float = 10.0) -> float:
    """The area under the cumulative error curve from 0 to the threshold, in percent of the whole:
    100 if nothing is wrong.

    The curve is a staircase, so its area is exactly the mean of ``max(0, 1 - error / threshold)``.

    Raises:
        ValueError: As :func:`failure_rate`.

    >>> auc([0, 5, 20])
    50.0
    """
    return float(100 * np.mean(np.maximum(0, 1 - _measured(errors) / threshold)))


def ced_curve(errors: ArrayLike, limit: float = 10.0) -> tuple[Doubles, Doubles]:
    """The cumulative error distribution up to a limit, as the corners of its staircase.

    Args:
        errors: NME of each face ``(N,)``, in percent.
        limit: Where the curve ends, in percent.

    Returns:
        Errors ``(M,)``, rising from 0 to the limit, and the share of faces ``(M,)`` in percent
        whose error is at most that. Between two corners the share stays what it was at the left
        one.

    Raises:
        ValueError: As :func:`failure_rate`.

    >>> [corner.tolist() for corner in ced_curve([2, 4, 4, 30])]
    [[0.0, 2.0, 4.0, 10.0], [0.0, 25.0, 75.0, 75.0]]
    """
    measured = np.sort(_measured(errors))
    corners = np.unique(np.concatenate([[0.0], measured[measured <= limit], [limit]]))
    return corners, 100 * np.searchsorted(measured, corners, side="right") / len(measured)


@dataclass(frozen=True)
class Scores:
    """What a table says of a set of faces. Percent, unless another unit is named.

    Attributes:
        n: Number of faces measured, missed ones among them.
        missed: Number of faces without a prediction.
        nme: Mean NME of the faces that were not missed.
        nme_median: Median NME of all n faces; a missed face counts as worse than any other.
        fr10: Share of all n faces with NME > 10 %; a missed face is one of them.
        auc10: Area under the cumulative error curve of all n faces up to 10 %; a missed face adds
            nothing.
        nme_by_region: Mean NME of each region's points, over the faces that were not missed.
        nme_shift_free: Mean NME* of the same faces, see :func:`shift_free_nme`.
        shift: The shift (dx, dy) in pixels that NME* takes off.
    """

    n: int
    missed: int
    nme: float
    nme_median: float
    fr10: float
    auc10: float
    nme_by_region: dict[str, float]
    nme_shift_free: float
    shift: tuple[float, float]

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers for JSON, to four decimals; what could not be measured is ``None``."""
        return {
            "n": self.n,
            "missed": self.missed,
            "nme": _plain(self.nme),
            "nme_median": _plain(self.nme_median),
            "fr10": _plain(self.fr10),
            "auc10": _plain(self.auc10),
            "nme_by_region": {
                region: _plain(value) for region, value in self.nme_by_region.items()
            },
            "nme_shift_free": _plain(self.nme_shift_free),
            "shift_px": [_plain(value) for value in self.shift],
        }


def score(predicted: ArrayLike, true: ArrayLike, schema: KeypointSchema) -> Scores:
    """All scores of predicted against true points, both ``(N, K, 2)``; a missed face is a row of
    NaN in ``predicted``.

    Raises:
        ValueError: No face, or one that cannot be measured.
    """
    errors = nme(predicted, true, schema)
    found = np.isfinite(_measured(errors))
    shift = constant_shift(predicted, true)
    return Scores(
        n=len(errors),
        missed=int(np.sum(~found)),
        nme=_mean_of_known(errors[found]),
        nme_median=float(np.median(errors)),
        fr10=failure_rate(errors),
        auc10=auc(errors),
        nme_by_region={
            region: _mean_of_known(values[found])
            for region, values in nme_by_region(predicted, true, schema).items()
        },
        nme_shift_free=_mean_of_known(shift_free_nme(predicted, true, schema)[found]),
        shift=(float(shift[0]), float(shift[1])),
    )


def _mean_of_labeled(errors: Doubles) -> Doubles:
    """The mean ``(N,)`` of each row without its NaN; NaN for a row that holds nothing else."""
    labeled = ~np.isnan(errors)
    count = labeled.sum(axis=1)
    total = np.where(labeled, errors, 0).sum(axis=1)
    return np.asarray(
        np.divide(total, count, out=np.full(len(errors), np.nan), where=count > 0), np.float64
    )


def _mean_of_known(values: Doubles) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else np.nan


def _measured(errors: ArrayLike) -> Doubles:
    values = np.asarray(check_shape(errors, "N", "errors"), np.float64)
    if not len(values) or np.isnan(values).any():
        raise ValueError(
            f"{len(values)} faces, {np.isnan(values).sum()} of them not measurable: leave those out first"
        )
    return values


def _plain(value: float) -> float | None:
    return round(float(value), 4) if np.isfinite(value) else None
