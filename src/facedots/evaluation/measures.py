"""The measures that reports show, each once: name, text, unit, which values are better."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from facedots.evaluation.metrics import finite_mean, worst_tenth
from facedots.evaluation.result import Evaluation
from facedots.evaluation.uncertainty_metrics import FAILURE_NME


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
        """Indices of the best values, equal to two decimals; none among fewer than two finite
        ones.
        """
        costs = [self._cost(value) for value in values]
        finite = [cost for cost in costs if np.isfinite(cost)]
        if len(finite) < 2:
            return []
        lowest = round(min(finite), 2)
        return [i for i, cost in enumerate(costs) if np.isfinite(cost) and round(cost, 2) == lowest]

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
"""Of :func:`accuracy`."""

UNCERTAINTY = (
    Measure("coverage_50", "points inside their 50 % region (ideal: 50)", 50.0),
    Measure("coverage_90", "points inside their 90 % region (ideal: 90)", 90.0),
    Measure("nll", "NLL: negative log-likelihood per point", unit="nats"),
    Measure("ause", "AUSE over points (0 perfect, 100 worthless)"),
    Measure("ece", "ECE: mean calibration error of the confidence", unit="points"),
)
"""Fields of :class:`~facedots.evaluation.uncertainty_scores.UncertaintyScores`, over some points
or all.
"""

FACE_UNCERTAINTY = (
    Measure("ause_faces", "AUSE over faces"),
    Measure(
        "failure_recall",
        f"faces with an NME above {FAILURE_NME:.0f} % among the 10 % of largest sigma",
        "higher",
    ),
    Measure("low_score", "faces with a network score below 0.5", None),
)
"""Of all faces, see :meth:`~facedots.evaluation.uncertainty_scores.UncertaintyMetrics.values`."""


def accuracy(evaluation: Evaluation) -> dict[str, float]:
    """The value of each of :data:`ACCURACY` by name; NaN where it cannot be measured."""
    baseline = evaluation.baseline
    return {
        **{m.name: getattr(evaluation.scores, m.name) for m in ACCURACY[:5]},
        "nme_worst_tenth": worst_tenth(evaluation.nme),
        "nme_mean_shape": np.nan if baseline is None else finite_mean(baseline),
    }
