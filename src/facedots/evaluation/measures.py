"""The numbers that reports show, each once: name, text, unit, which values are better; and their
values for an evaluation.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from facedots.evaluation.metrics import (
    finite_mean,
    norm_distances,
    plain,
    point_errors,
    worst_tenth,
)
from facedots.evaluation.result import Evaluation
from facedots.evaluation.uncertainty_metrics import (
    FAILURE_NME,
    auroc,
    ause,
    confidence_bins,
    coverage,
    coverage_probability,
    ece,
    failure_recall,
    sparsification,
)
from facedots.types import VISIBLE
from facedots.uncertainty import CONFIDENT_WITHIN, Doubles, mahalanobis, negative_log_likelihood


@dataclass(frozen=True)
class Measure:
    """One number about a network on a set of faces.

    Attributes:
        name: As in ``report.json``.
        title: For people.
        better: Which values are better; a number: those next to it; ``None``: neither.
        unit: Of the number.

    Example:
        >>> ACCURACY[0].best([3.9, 3.2])
        [1]
    """

    name: str
    title: str
    better: Literal["lower", "higher"] | float | None = "lower"
    unit: str = "%"

    def best(self, values: Sequence[float]) -> list[int]:
        """Indices of the best values, equal to two decimals; none of fewer than two finite ones."""
        costs = [round(self._cost(value), 2) for value in values]
        finite = [cost for cost in costs if np.isfinite(cost)]
        return [i for i, cost in enumerate(costs) if cost == min(finite)] if len(finite) > 1 else []

    def _cost(self, value: float) -> float:
        if isinstance(self.better, float):
            return abs(value - self.better)
        return {"lower": value, "higher": -value}.get(self.better or "", np.nan)


ACCURACY = (
    Measure("nme", "NME: mean error"),
    Measure("nme_median", "median NME: the error of a typical face"),
    Measure("nme_shift_free", "NME* (one constant shift of all points removed)"),
    Measure("fr10", "FR10: failure rate (NME above 10 %)"),
    Measure("auc10", "AUC10: area under the error curve", "higher"),
    Measure("nme_worst_tenth", "NME of the worst tenth of the faces"),
    Measure("nme_mean_shape", "baseline: NME of an average face in each box", None),
)
"""Of :func:`accuracy_values`."""

UNCERTAINTY = (
    Measure("coverage_50", "points inside their 50 % region (ideal: 50)", 50.0),
    Measure("coverage_90", "points inside their 90 % region (ideal: 90)", 90.0),
    Measure("nll", "NLL: negative log-likelihood per point", unit="nats"),
    Measure("ause", "AUSE over points (0 perfect, 100 worthless)"),
    Measure("ece", "ECE: mean calibration error of the confidence", unit="points"),
)
"""Of :meth:`UncertaintyMetrics.of_points`; the likelihood is of errors in percent."""

_FAILURES = f"faces with an NME above {FAILURE_NME:.0f} % among the 10 % of largest sigma"
FACE_UNCERTAINTY = (
    Measure("ause_faces", "AUSE over faces"),
    Measure("failure_recall", _FAILURES, "higher"),
    Measure("low_score", "faces with a network score below 0.5", None),
)
"""Of :meth:`UncertaintyMetrics.values`, besides those of all points."""


VISIBILITY = (
    Measure("hidden_share", "points labeled as hidden", None),
    Measure("hidden_auroc", "AUROC: visible points against hidden ones by visibility", "higher"),
    Measure("visibility_ece", "ECE of the visibility", unit="points"),
    Measure("hidden_recall", "hidden points called hidden (visibility below 0.5)", "higher"),
    Measure("hidden_false", "visible points called hidden"),
)
"""Of :func:`visibility_values`."""

PUPILS = (
    Measure("pupil_nme", "NME of the pupils"),
    Measure("pupil_fr10", "pupils with an error above 10 %, or missed"),
    Measure("pupil_nees", "NEES of the pupils: squared error (ideal: 1)", 1.0, unit="σ²"),
)
"""Of :func:`pupil_values`."""


def accuracy_values(evaluation: Evaluation) -> dict[str, float]:
    """The value of each of :data:`ACCURACY` by name, without the baseline where there is none; NaN
    where it cannot be measured.
    """
    baseline = evaluation.baseline
    return {
        **{m.name: getattr(evaluation.accuracy, m.name) for m in ACCURACY[:5]},
        "nme_worst_tenth": worst_tenth(evaluation.nme),
        **({} if baseline is None else {"nme_mean_shape": finite_mean(baseline)}),
    }


def visibility_values(evaluation: Evaluation) -> dict[str, float]:
    """The value of each of :data:`VISIBILITY` by name, over the points whose label is known; none
    where the labels or the network do not tell what is hidden. Missed faces do not count.
    """
    if evaluation.visible is None or evaluation.visibility is None:
        return {}
    known = np.isfinite(evaluation.visible) & np.isfinite(evaluation.visibility)
    visible, visibility = evaluation.visible[known] >= VISIBLE, evaluation.visibility[known]
    called_hidden = 100.0 * (visibility < VISIBLE)
    return {
        "hidden_share": finite_mean(100.0 * ~visible),
        "hidden_auroc": auroc(visibility[visible], visibility[~visible]),
        "visibility_ece": ece(confidence_bins(visibility, visible)),
        "hidden_recall": finite_mean(called_hidden[~visible]),
        "hidden_false": finite_mean(called_hidden[visible]),
    }


def pupil_values(evaluation: Evaluation) -> dict[str, float]:
    """The value of each of :data:`PUPILS` by name, over the labeled pupils; none where the data or
    the network have no pupils. Errors are in percent of the true eye distance.

    The NEES (normalized estimation error squared; Bar-Shalom et al., 2001) is the mean of eᵀ C⁻¹ e
    over the two axes: 1 where the covariance C is that of the errors e.
    """
    true, pupils = evaluation.true_pupils, evaluation.pupils
    if true is None or pupils is None or evaluation.pupils_covariance is None:
        return {}
    scale = 100 / norm_distances(evaluation.true, evaluation.schema)
    errors = point_errors(pupils, true) * scale[:, None]
    radius = mahalanobis(pupils - true, evaluation.pupils_covariance)
    return {
        "pupil_nme": finite_mean(errors),
        "pupil_fr10": finite_mean(100.0 * (errors[~np.isnan(errors)] > 10)),
        "pupil_nees": finite_mean(radius**2) / 2,
    }


class UncertaintyMetrics:
    """Predicted uncertainty against observed errors.

    Errors are in percent of the true eye distance. Where points or faces are ranked, sigma is in
    percent of the *predicted* one, as in use. Missed faces and points without a label do not count.

    Attributes:
        coverage_probability: ``(N, K)``, of each point's smallest region that holds the label.
        errors: ``(N, K)``, percent of the true eye distance.
        sigma: ``(N, K)``, percent of the predicted eye distance; NaN where unknown.
        face_sigma: ``(N,)``, mean sigma of each face's points.

    Example:
        >>> UncertaintyMetrics(evaluation).values()["coverage_90"]  # doctest: +SKIP
        89.02
    """

    def __init__(self, evaluation: Evaluation) -> None:
        self._evaluation = evaluation
        schema, dof = evaluation.schema, evaluation.dof
        scale = 100 / norm_distances(evaluation.true, schema)
        residuals = evaluation.predicted.astype(np.float64) - evaluation.true
        residuals *= scale[:, None, None]
        covariance = evaluation.covariance * (scale**2)[:, None, None, None]
        self.coverage_probability = coverage_probability(residuals, covariance, dof)
        self.errors = point_errors(evaluation.predicted, evaluation.true) * scale[:, None]
        predicted_distances = norm_distances(evaluation.predicted, schema)
        self.sigma: Doubles = evaluation.sigma * 100 / predicted_distances[:, None]
        self.face_sigma: Doubles = self.sigma.mean(axis=1)
        self._nll = negative_log_likelihood(residuals, covariance, dof)

    @property
    def available(self) -> bool:
        """Whether the network predicts any uncertainty."""
        return bool(np.isfinite(self.coverage_probability).any())

    def of_points(self, points: Sequence[int] | None = None) -> dict[str, float]:
        """The value of each of :data:`UNCERTAINTY` by name, over some points of the schema or all;
        NaN where it cannot be measured.
        """
        chosen = self._chosen(points)
        probability = self.coverage_probability[:, chosen]
        errors, sigma = self.errors[:, chosen].ravel(), self.sigma[:, chosen].ravel()
        return {
            "coverage_50": coverage(probability, 0.5),
            "coverage_90": coverage(probability, 0.9),
            "nll": finite_mean(self._nll[:, chosen]),
            "ause": ause(sparsification(errors, sigma)),
            "ece": ece(self.confidence(points)),
        }

    def by_region(self) -> dict[str, dict[str, float]]:
        """:meth:`of_points` of each region."""
        regions = self._evaluation.schema.regions
        return {region: self.of_points(points) for region, points in regions.items()}

    def confidence(self, points: Sequence[int] | None = None) -> Doubles:
        """The bins ``(3, B)`` of confidence against points within 5 % of the eye distance."""
        chosen = self._chosen(points)
        errors, confidence = self.errors[:, chosen], self._evaluation.confidence[:, chosen]
        confidence = np.where(np.isfinite(errors), confidence, np.nan)
        return confidence_bins(confidence.ravel(), (errors <= 100 * CONFIDENT_WITHIN).ravel())

    def sparsification(self) -> Doubles:
        """Mean NME ``(2, N)`` of the remaining faces, largest sigma removed first."""
        return sparsification(self._evaluation.nme, self.face_sigma)

    def values(self) -> dict[str, float]:
        """The value of each of :data:`UNCERTAINTY` and :data:`FACE_UNCERTAINTY` by name."""
        score = self._evaluation.score[np.isfinite(self._evaluation.score)]
        return {
            **self.of_points(),
            "ause_faces": ause(self.sparsification()),
            "failure_recall": failure_recall(self._evaluation.nme, self.face_sigma),
            "low_score": finite_mean(100.0 * (score < 0.5)),
        }

    def to_dict(self) -> dict[str, Any] | None:
        """Plain numbers for JSON; ``None`` where the network predicts no uncertainty."""
        if not self.available:
            return None
        return {**plain(self.values()), "by_region": plain(self.by_region())}

    def _chosen(self, points: Sequence[int] | None) -> list[int]:
        return list(range(self._evaluation.schema.count) if points is None else points)
