"""The functions of :mod:`facedots.evaluation.uncertainty_metrics`, applied to an evaluation."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from facedots.evaluation.metrics import Doubles, finite_mean, norm_distances, plain, point_errors
from facedots.evaluation.result import Evaluation
from facedots.evaluation.uncertainty_metrics import (
    ConfidenceBins,
    Sparsification,
    confidence_bins,
    coverage,
    coverage_probability,
    failure_recall,
    sparsification,
)
from facedots.uncertainty import CONFIDENT_WITHIN, negative_log_likelihood


@dataclass(frozen=True)
class UncertaintyScores:
    """Quality of the predicted uncertainty of some points; NaN where it cannot be measured.

    Attributes:
        coverage_50: Share of points inside their 50 % region, in percent; 50 is right.
        coverage_90: Share of points inside their 90 % region, in percent; 90 is right.
        nll: Mean negative log-likelihood in nats per point, for errors in percent of the eye
            distance; lower is better.
        ause: Area under the sparsification error, in percent of random removals; 0 is perfect.
        ece: Mean difference of confidence and observed share, in percentage points; 0 is right.

    Example:
        >>> UncertaintyScores(50.0, 90.0, 4.5, 40.0, 0.0).coverage_90
        90.0
    """

    coverage_50: float
    coverage_90: float
    nll: float
    ause: float
    ece: float


class UncertaintyMetrics:
    """Predicted uncertainty against observed errors.

    Errors are in percent of the true eye distance. Where points or faces are ranked, sigma is in
    percent of the *predicted* one, as in use. Missed faces and points without a label
    do not count.

    Args:
        evaluation: Faces and predictions.

    Attributes:
        coverage_probability: ``(N, K)``, of each point's smallest region that holds the label.
        errors: ``(N, K)``, percent of the true eye distance.
        sigma: ``(N, K)``, percent of the predicted eye distance.

    Example:
        >>> UncertaintyMetrics(evaluation).scores().coverage_90  # doctest: +SKIP
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
        self._nll = negative_log_likelihood(residuals, covariance, dof)

    @property
    def available(self) -> bool:
        """Whether the network predicts any uncertainty."""
        return bool(np.isfinite(self.coverage_probability).any())

    def scores(self, points: Sequence[int] | None = None) -> UncertaintyScores:
        """The scores over some points of the schema, by index; ``None`` for all."""
        chosen = self._chosen(points)
        probability = self.coverage_probability[:, chosen]
        errors, sigma = self.errors[:, chosen].ravel(), self.sigma[:, chosen].ravel()
        return UncertaintyScores(
            coverage_50=coverage(probability, 0.5),
            coverage_90=coverage(probability, 0.9),
            nll=finite_mean(self._nll[:, chosen]),
            ause=sparsification(errors, sigma).ause,
            ece=self.confidence(points).ece,
        )

    def by_region(self) -> dict[str, UncertaintyScores]:
        """The scores of each region's points."""
        regions = self._evaluation.schema.regions
        return {region: self.scores(points) for region, points in regions.items()}

    def confidence(self, points: Sequence[int] | None = None) -> ConfidenceBins:
        """Confidence against the share of points within 5 % of the eye distance, over some points
        or all.
        """
        errors = self.errors[:, self._chosen(points)]
        confidence = self._evaluation.confidence[:, self._chosen(points)]
        confidence = np.where(np.isfinite(errors), confidence, np.nan)
        return confidence_bins(confidence.ravel(), (errors <= 100 * CONFIDENT_WITHIN).ravel())

    def face_sigma(self) -> Doubles:
        """The mean sigma ``(N,)`` of each face's points, in percent of its predicted eye distance;
        NaN where it has none.
        """
        means: Doubles = self.sigma.mean(axis=1)
        return means

    def sparsification(self) -> Sparsification:
        """The mean NME of the remaining faces as those with the largest sigma are removed."""
        return sparsification(self._evaluation.nme, self.face_sigma())

    def values(self) -> dict[str, float]:
        """The value of each measure of :data:`~facedots.evaluation.measures.UNCERTAINTY` and
        :data:`~facedots.evaluation.measures.FACE_UNCERTAINTY` by name.
        """
        score = self._evaluation.score[np.isfinite(self._evaluation.score)]
        return {
            **vars(self.scores()),
            "ause_faces": self.sparsification().ause,
            "failure_recall": failure_recall(self._evaluation.nme, self.face_sigma()),
            "low_score": finite_mean(100.0 * (score < 0.5)),
        }

    def to_dict(self) -> dict[str, Any] | None:
        """Plain numbers for JSON; ``None`` where the network predicts no uncertainty."""
        if not self.available:
            return None
        by_region = {region: plain(vars(scores)) for region, scores in self.by_region().items()}
        return {**plain(self.values()), "by_region": by_region}

    def _chosen(self, points: Sequence[int] | None) -> list[int]:
        return list(range(self._evaluation.schema.count) if points is None else points)
