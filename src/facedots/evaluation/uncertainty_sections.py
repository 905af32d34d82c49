"""The section of a report about whether a network knows where it is wrong."""

import operator
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from facedots.evaluation.accuracy_sections import best_of, table_with_best
from facedots.evaluation.result import Result
from facedots.evaluation.uncertainty_metrics import BAD_NME
from facedots.evaluation.uncertainty_scores import UncertaintyMetrics, UncertaintyScores
from facedots.plots.comparison import reliability_figure, sparsification_figure
from facedots.plots.page import Cell, Page

_Badness = Callable[[float], float]


def sigma_section(page: Page, results: Sequence[Result]) -> None:
    """Everything about sigma, covariance and confidence; a sentence where no network gives any."""
    page.heading("Does it know where it is wrong?")
    reports = {result.name: UncertaintyMetrics(result.evaluation) for result in results}
    reports = {name: report for name, report in reports.items() if report.known}
    if not reports:
        page.paragraph(
            "These predictions come without any uncertainty, so there is nothing to say here."
        )
        return
    page.paragraph(
        "With every point the network gives a region (an ellipse) in which the true point lies with a stated probability, and "
        "a confidence: the probability that the point is within 5 % of the eye distance of where people put it. Sigma is the "
        "size of the region. This section holds these promises against what came. Missed faces count nowhere here."
    )
    silent = [result.name for result in results if result.name not in reports]
    if silent:
        page.paragraph(f"Without any uncertainty, and so not in this section: {', '.join(silent)}.")
    scores = {name: report.scores() for name, report in reports.items()}
    _summary(page, reports, scores)
    everyone = [result.name for result in results]
    _promises(page, reports, everyone)
    _order(page, reports, everyone)
    _regions(page, reports)


def _off_50(share: float) -> float:
    return abs(share - 50)


def _off_90(share: float) -> float:
    return abs(share - 90)


_COLUMNS: Mapping[str, tuple[str, _Badness]] = {
    "coverage_50": ("inside the 50 % region, %", _off_50),
    "coverage_90": ("inside the 90 % region, %", _off_90),
    "nll": ("NLL, nats", float),
    "ause": ("AUSE, %", float),
    "confidence_gap": ("confidence off by, points", float),
}
"""Field of the scores -> how it is called, and how bad a number is."""


def _summary(
    page: Page, reports: Mapping[str, UncertaintyMetrics], scores: Mapping[str, UncertaintyScores]
) -> None:
    rows: list[list[Cell]] = []
    marked: set[tuple[int, int]] = set()
    for title, value, badness in _MEASURES:
        values = [value(report, scores[name]) for name, report in reports.items()]
        marked |= {(len(rows), 1 + i) for i in best_of([badness(number) for number in values], 1)}
        rows.append([title, *values])
    page.table(["measure", *reports], rows, "Best in green" if len(reports) > 1 else "", marked)


_MEASURES: tuple[
    tuple[str, Callable[[UncertaintyMetrics, UncertaintyScores], float], _Badness], ...
] = (
    ("points inside their 50 % region (should be 50), %", lambda _, of: of.coverage_50, _off_50),
    ("points inside their 90 % region (should be 90), %", lambda _, of: of.coverage_90, _off_90),
    ("confidence is off by, on average, percentage points", lambda _, of: of.confidence_gap, float),
    ("negative log-likelihood, nats a point (less is better)", lambda _, of: of.nll, float),
    ("AUSE over points, % (0 perfect, 100 worthless)", lambda _, of: of.ause, float),
    ("AUSE over faces, %", lambda report, _: report.sparsification().ause, float),
    (
        f"faces with an NME above {BAD_NME:.0f} % that go with the 10 % of largest sigma, %",
        lambda report, _: report.failure_recall(),
        operator.neg,
    ),
    (
        "faces that the network itself doubts (score below 0.5), %",
        lambda report, _: report.doubted(),
        lambda _: np.nan,
    ),
)
"""What it is, its value, and how bad that is."""


def _promises(
    page: Page, reports: Mapping[str, UncertaintyMetrics], palette_names: Sequence[str]
) -> None:
    page.heading("Are the promises kept?", level=3)
    page.paragraph(
        "For regions of every probability: how many points really lie inside. On the dashed diagonal the promise is kept; "
        "below it the regions are too small (the network is too sure), above it too large. On the right the same "
        "for the confidence: of the points with a confidence of 80 %, 80 % should be near."
    )
    covering = {name: report.covering for name, report in reports.items()}
    confidence = {name: report.confidence() for name, report in reports.items()}
    page.figure(
        reliability_figure(covering, confidence, palette_names),
        "Left: share of points inside their region. Right: confidence against the share of points that were near; a larger dot "
        "stands for more points.",
    )


def _order(
    page: Page, reports: Mapping[str, UncertaintyMetrics], palette_names: Sequence[str]
) -> None:
    page.heading("Does it single out the bad faces?", level=3)
    page.paragraph(
        "Faces are left out one after the other, the one with the largest mean sigma first. If sigma is worth something, the "
        "error of the others falls. The dotted line is the best that is possible (the truly worst face first), the thin level "
        "line what leaving out at random gives. AUSE is the area between the curve and the dotted line, in percent of the "
        "area between the other two."
    )
    page.figure(
        sparsification_figure(
            {name: report.sparsification() for name, report in reports.items()}, palette_names
        ),
        "Mean error of the faces that are kept, over the share of faces left out.",
    )


def _regions(page: Page, reports: Mapping[str, UncertaintyMetrics]) -> None:
    page.heading("By part of the face", level=3)
    page.paragraph(
        "The same numbers for the points of each part of the face: a mean over all points can be right while one part is too "
        "sure and another too careful."
    )
    by_region = {name: report.by_region() for name, report in reports.items()}
    regions = {region: region.replace("_", " ") for region in next(iter(by_region.values()))}
    what = "part of the face"
    if len(reports) == 1:
        scores = next(iter(by_region.values()))
        rows: list[list[Cell]] = [
            [called, *(getattr(scores[region], c) for c in _COLUMNS)]
            for region, called in regions.items()
        ]
        page.table([what, *(title for title, _ in _COLUMNS.values())], rows)
        return
    for column, (title, badness) in _COLUMNS.items():
        rows = [
            [called, *(getattr(of[region], column) for of in by_region.values())]
            for region, called in regions.items()
        ]
        with page.details(title):
            table_with_best(page, [what, *reports], rows, title, badness)
