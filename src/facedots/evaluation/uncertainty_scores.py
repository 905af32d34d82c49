"""What a table says of how far a network knows where it is wrong."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from facedots.evaluation.metrics import Doubles, norm_distances, point_errors
from facedots.evaluation.protocol import Evaluation
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
    """How far the predicted uncertainty of some points can be trusted; NaN where it could not be
    measured.

    Attributes:
        coverage_50: Share of points inside their 50 % region, in percent; 50 is right.
        coverage_90: Share of points inside their 90 % region, in percent; 90 is right.
        nll: Mean negative log-likelihood in nats a point, for errors in percent of the eye
            distance; less is better.
        ause: Area under the sparsification error, in percent of leaving out at random; 0 is
            perfect.
        confidence_gap: Mean difference of confidence and the share that was as near as it says, in
            percentage points; 0 is right.
    """

    coverage_50: float
    coverage_90: float
    nll: float
    ause: float
    confidence_gap: float

    def to_dict(self) -> dict[str, float | None]:
        """Plain numbers for JSON, to four decimals; what could not be measured is ``None``."""
        return {
            name: round(value, 4) if np.isfinite(value) else None
            for name, value in vars(self).items()
        }


class UncertaintyMetrics:
    """The uncertainty of an evaluation against the errors that came.

    Errors are in percent of the true eye distance. Where points or faces are put in order, sigma is
    in percent of the *predicted* one, which is what a user has. Faces that were missed and points
    without a label count nowhere.

    Args:
        evaluation: Faces and predictions.
    """

    def __init__(self, evaluation: Evaluation) -> None:
        self._evaluation = evaluation
        scale = 100 / norm_distances(evaluation.true, evaluation.schema)
        residuals = (np.asarray(evaluation.predicted, np.float64) - evaluation.true) * scale[
            :, None, None
        ]
        covariance = evaluation.covariance * (scale**2)[:, None, None, None]
        self.covering: Doubles = coverage_probability(residuals, covariance, evaluation.dof)
        """``(N, K)``: the probability of each point's smallest region that holds the truth."""
        self.errors: Doubles = point_errors(evaluation.predicted, evaluation.true) * scale[:, None]
        """``(N, K)``, percent of the true eye distance."""
        self.sigma: Doubles = (
            evaluation.sigma
            * 100
            / norm_distances(evaluation.predicted, evaluation.schema)[:, None]
        )
        """``(N, K)``, percent of the predicted eye distance."""
        self._all = list(range(evaluation.schema.count))
        self._nll = negative_log_likelihood(residuals, covariance, evaluation.dof)

    @property
    def known(self) -> bool:
        """Whether there is any uncertainty to look at."""
        return bool(np.isfinite(self.covering).any())

    def scores(self, points: Sequence[int] | None = None) -> UncertaintyScores:
        """The numbers over some points of the schema, by their indices; over all of them for
        ``None``.
        """
        chosen = self._all if points is None else list(points)
        nll = self._nll[:, chosen]
        return UncertaintyScores(
            coverage_50=coverage(self.covering[:, chosen], 0.5),
            coverage_90=coverage(self.covering[:, chosen], 0.9),
            nll=float(np.mean(nll[np.isfinite(nll)])) if np.isfinite(nll).any() else np.nan,
            ause=sparsification(self.errors[:, chosen].ravel(), self.sigma[:, chosen].ravel()).ause,
            confidence_gap=self.confidence(chosen).gap,
        )

    def by_region(self) -> dict[str, UncertaintyScores]:
        """The numbers of each region's points."""
        return {
            region: self.scores(points)
            for region, points in self._evaluation.schema.regions.items()
        }

    def confidence(self, points: Sequence[int] | None = None) -> ConfidenceBins:
        """Confidence against the share of points that were within 5 % of the eye distance, over
        some points or all.
        """
        chosen = self._all if points is None else list(points)
        near = self.errors[:, chosen] <= 100 * CONFIDENT_WITHIN
        said = np.where(
            np.isfinite(self.errors[:, chosen]), self._evaluation.confidence[:, chosen], np.nan
        )
        return confidence_bins(said.ravel(), near.ravel())

    def of_faces(self) -> Doubles:
        """The mean sigma ``(N,)`` of each face's points, in percent of its predicted eye distance;
        NaN where it has none.
        """
        return np.asarray(self.sigma.mean(axis=1))

    def sparsification(self) -> Sparsification:
        """What remains of the faces' NME when the faces with the largest sigma are left out."""
        return sparsification(self._evaluation.nme, self.of_faces())

    def failure_recall(self) -> float:
        """The share of faces with an NME above 8 %, in percent, that go with the worst 10 % of
        faces by sigma.
        """
        return failure_recall(self._evaluation.nme, self.of_faces())

    def doubted(self) -> float:
        """The share of the faces with a score, in percent, whose score is below 0.5; NaN where the
        network gives none.
        """
        known = self._evaluation.score[np.isfinite(self._evaluation.score)]
        return float(100 * np.mean(known < 0.5)) if len(known) else np.nan

    def to_dict(self) -> dict[str, Any] | None:
        """Everything for JSON; ``None`` where the network gives no uncertainty."""
        if not self.known:
            return None
        faces, removed = self.sparsification().ause, self.failure_recall()
        return {
            **self.scores().to_dict(),
            "ause_faces": round(faces, 4) if np.isfinite(faces) else None,
            "bad_faces_removed": round(removed, 4) if np.isfinite(removed) else None,
            "by_region": {region: scores.to_dict() for region, scores in self.by_region().items()},
        }
