"""A report as one HTML page, of one network or of several side by side."""

from collections.abc import Sequence
from datetime import UTC, datetime

from facedots.evaluation.accuracy_sections import (
    curves_section,
    faces_section,
    people_section,
    regions_section,
    scores_section,
    slices_section,
    training_section,
)
from facedots.evaluation.result import (
    BOXES,
    Result,
    caveats,
    comparison_warnings,
    incompatibilities,
)
from facedots.evaluation.uncertainty_sections import sigma_section
from facedots.plots.page import Cell, Page

_SHOWN = 50


def report_page(results: Sequence[Result]) -> Page:
    """The page for results, side by side; their names must differ.

    What stands in the way of comparing them is said in a box at the top.
    """
    names = [result.name for result in results]
    title = (
        f"Report on {names[0]}"
        if len(results) == 1
        else f"Comparison of {', '.join(names[:-1])} and {names[-1]}"
    )
    page = Page(
        title,
        "A keypoint network marks fixed points of a human face (corners of the eyes, outline of the lips and so on) in a "
        f"image. This page says how well {'it does' if len(results) == 1 else 'these networks do'} on faces whose points "
        "people have marked, where it goes wrong, and whether it knows. Words in abbreviations are explained at the end.",
    )
    comparable = not incompatibilities(results)
    _setting(page, results)
    scores_section(page, results)
    curves_section(page, results)
    regions_section(page, results)
    slices_section(page, results)
    sigma_section(page, results)
    people_section(page, results)
    faces_section(page, results, same_faces=comparable)
    training_section(page, results)
    _skipped(page, results)
    _words(page, results[0])
    return page


def _setting(page: Page, results: Sequence[Result]) -> None:
    page.heading("What was measured")
    for sentence in incompatibilities(results):
        page.note(f"Not comparable: {sentence}")
    for sentence in comparison_warnings(results):
        page.note(sentence)
    for sentence in dict.fromkeys(told for result in results for told in caveats(result.setting)):
        page.note(sentence)
    rows: list[list[Cell]] = [
        [
            result.name,
            ", ".join(result.setting.sources) or result.setting.data,
            result.setting.split,
            result.setting.trained_split or "unknown",
            BOXES.get(result.setting.boxes, f"{result.setting.boxes}, as in use"),
            result.setting.weights_sha256[:12],
        ]
        for result in results
    ]
    page.table(
        [
            "network",
            "test faces from",
            "split",
            "trained on split",
            "boxes from",
            "weights, sha256",
        ],
        rows,
    )
    page.paragraph(
        f"Data: {', '.join(dict.fromkeys(result.setting.data for result in results))}. Written "
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC."
    )


def _skipped(page: Page, results: Sequence[Result]) -> None:
    lines = [
        f"{result.name}: {name}: {reason}"
        for result in results
        for name, reason in result.evaluation.skipped
    ]
    if lines:
        page.heading("Faces that could not be measured")
        page.paragraph("They count nowhere, neither as found nor as missed.")
        page.bullets(lines[:_SHOWN] + [f"… and {len(lines) - _SHOWN} more"] * (len(lines) > _SHOWN))


def _words(page: Page, result: Result) -> None:
    names = [result.evaluation.schema.names[point] for point in result.evaluation.schema.norm_pair]
    page.heading("Words")
    page.bullets(
        [
            "NME, normalized mean error: the mean distance between predicted and true points of a face, divided by the "
            f"distance of its true points {' and '.join(names)}, in percent.",
            "NME*: the same after one shift that all faces have in common was taken off. Labels of one collection often sit a "
            "pixel beside those of another for no better reason than how pixels are counted.",
            "FR10, failure rate: the share of faces with an NME above 10 %, or missed.",
            "AUC10: the area under the curve of the shares of faces with at most an error, from 0 to 10 %, in percent of the "
            "whole.",
            "CED: that curve, the cumulative error distribution.",
            "Split: which faces were for training and which for the test. In a disjoint split nobody is on both sides.",
            "Sigma: the standard deviation of the error of a point that the network expects.",
            "NLL, negative log-likelihood: how surprised the network is by the truth, for errors in percent of the eye "
            "distance. It rewards regions that are both right and small.",
            "AUSE, area under the sparsification error: how far from the best possible the order is in which sigma puts errors; "
            "100 % is an order by chance.",
        ]
    )
