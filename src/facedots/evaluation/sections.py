"""The sections of a report: their tables as arguments of the macro ``table``, and their figures."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from facedots.errors import ImageError
from facedots.evaluation.comparability import incompatibilities
from facedots.evaluation.example_faces import example_tiles
from facedots.evaluation.measures import ACCURACY, FACE_UNCERTAINTY, UNCERTAINTY, Measure, accuracy
from facedots.evaluation.metrics import finite_mean, worst_tenth
from facedots.evaluation.result import Evaluation
from facedots.evaluation.slices import ATTRIBUTES, Attribute, cut, group_means, slice_edges
from facedots.evaluation.uncertainty_metrics import coverage
from facedots.evaluation.uncertainty_scores import UncertaintyMetrics
from facedots.geometry import Image
from facedots.plots.curves import ced_figure, regions_figure, slices_figure
from facedots.plots.page import Cell
from facedots.plots.uncertainty import reliability_figure, sparsification_figure

_PEOPLE_SHOWN = 5

Table = dict[str, Any]
"""Arguments of the macro ``table``."""

Row = tuple[str, Measure | None, Sequence[float]]
"""Title, measure if there is a best value, and the value of each network."""


def measure_rows(measures: Iterable[Measure], values: Sequence[Mapping[str, float]]) -> list[Row]:
    """A row for each measure of the values by name of each network."""
    return [(f"{m.title}, {m.unit}", m, [of[m.name] for of in values]) for m in measures]


def _table(header: Sequence[str], rows: Sequence[Row], caption: str = "") -> Table:
    """A table with a column per network; the best values of a measure are marked, if there are
    several networks.
    """
    marked = {(r, 1 + i) for r, (_, m, values) in enumerate(rows) if m for i in m.best(values)}
    if len(header) > 2:
        caption = f"{caption}, best in green" if caption else "Best in green"
    cells = [[title, *values] for title, _, values in rows]
    return {"header": header, "rows": cells, "caption": caption, "marked": marked}


def context_row(evaluation: Evaluation) -> list[Cell]:
    """Network, faces, split, trained split, boxes, weights."""
    context = evaluation.context
    trained, sha = context.trained_split or "unknown", context.weights_sha256[:12]
    return [evaluation.name, context.faces_text, context.split, trained, context.boxes_text, sha]


def scores_table(evaluations: Sequence[Evaluation]) -> Table:
    """Counts of faces and the measures of accuracy."""
    counts: list[Row] = [
        ("faces measured", None, [e.scores.n for e in evaluations]),
        ("of these missed (no box found)", None, [e.scores.missed for e in evaluations]),
    ]
    rows = measure_rows(ACCURACY, [accuracy(evaluation) for evaluation in evaluations])
    return _table(["measure", *(e.name for e in evaluations)], [*counts, *rows])


def error_curves(evaluations: Sequence[Evaluation]) -> Figure:
    """Cumulative error curves, of a single network with its baseline."""
    baselines = {}
    if len(evaluations) == 1 and evaluations[0].baseline is not None:
        baselines["average face"] = evaluations[0].baseline
    return ced_figure({e.name: e.nme for e in evaluations}, baselines)


def regions(evaluations: Sequence[Evaluation]) -> tuple[Figure | None, Table]:
    """Error by region; no figure where every face was missed."""
    by_region = {e.name: e.scores.nme_by_region for e in evaluations}
    overall = evaluations[0].scores.nme if len(evaluations) == 1 else None
    predicted = any(e.scores.missed < e.scores.n for e in evaluations)
    figure = regions_figure(by_region, overall) if predicted else None
    rows: list[Row] = [
        (region.replace("_", " "), ACCURACY[0], [of[region] for of in by_region.values()])
        for region in evaluations[0].schema.regions
    ]
    return figure, _table(["part of the face", *by_region], rows, "Mean NME in percent")


def by_slice(
    evaluations: Sequence[Evaluation],
) -> tuple[Figure | None, list[tuple[Attribute, Table]]]:
    """The figure, and a table for each attribute with a finite value."""
    panels, tables = {}, list[tuple[Attribute, Table]]()
    names = [evaluation.name for evaluation in evaluations]
    for attribute in ATTRIBUTES:
        values = [evaluation.attributes[attribute.name] for evaluation in evaluations]
        edges = slice_edges(attribute, np.concatenate(values))
        parts = [cut(attribute, of, edges) for of in values]
        if not parts[0]:
            continue
        means = {
            e.name: [finite_mean(e.nme[part.members]) for part in of]
            for e, of in zip(evaluations, parts, strict=True)
        }
        labels = [part.label for part in parts[0]]
        panels[attribute.title] = (labels, means)
        counts = [int(part.members.sum()) for part in parts[0]]
        rows = [list(row) for row in zip(labels, counts, *means.values(), strict=True)]
        header = ["slice", "faces", *names]
        tables.append((attribute, {"header": header, "rows": rows, "caption": "NME in percent"}))
    return slices_figure(panels) if panels else None, tables


def uncertainty(every: Mapping[str, UncertaintyMetrics]) -> Mapping[str, Any]:
    """Names without uncertainty, tables and figures of the others."""
    metrics = {name: m for name, m in every.items() if m.available}
    nominal = np.linspace(0, 1, 101)
    inside: dict[str, list[float] | None] = dict.fromkeys(every)
    confidence: dict[str, Any] = dict.fromkeys(every)
    curves: dict[str, Any] = {}
    for name, of in every.items():
        sparsification = of.sparsification()
        label = f"{name}: AUSE {sparsification.ause:.0f} % of random"
        curves[label] = None
        if of.available:
            inside[name] = [coverage(of.coverage_probability, p) for p in nominal]
            bins = of.confidence()
            confidence[name] = np.stack([bins.predicted, bins.observed, bins.share])
            curves[label] = (sparsification.remaining, sparsification.oracle)
    values = [of.values() for of in metrics.values()]
    rows = measure_rows([*UNCERTAINTY, *FACE_UNCERTAINTY], values)
    return {
        "missing": [name for name in every if name not in metrics],
        "table": _table(["measure", *metrics], rows),
        "reliability": reliability_figure(inside, confidence),
        "sparsification": sparsification_figure(curves),
        "regions": _uncertainty_by_region(metrics),
    }


def _uncertainty_by_region(metrics: Mapping[str, UncertaintyMetrics]) -> list[tuple[str, Table]]:
    """Title and table: one with a column per measure for a single network, one per measure for
    several.
    """
    by_region = {name: of.by_region() for name, of in metrics.items()}
    first = next(iter(by_region.values()))
    regions = {region: region.replace("_", " ") for region in first}
    titles = {m: f"{m.title}, {m.unit}" for m in UNCERTAINTY}
    if len(metrics) == 1:
        cells = [
            [text, *(getattr(first[region], m.name) for m in UNCERTAINTY)]
            for region, text in regions.items()
        ]
        return [("", {"header": ["part of the face", *titles.values()], "rows": cells})]
    tables = []
    for m, title in titles.items():
        rows: list[Row] = [
            (text, m, [getattr(of[region], m.name) for of in by_region.values()])
            for region, text in regions.items()
        ]
        tables.append((title, _table(["part of the face", *by_region], rows, title)))
    return tables


def people(evaluations: Sequence[Evaluation]) -> tuple[Table, list[tuple[str, Table]]] | None:
    """Means over people, and the worst people of each network; ``None`` where no face has a
    group.
    """
    means = {e.name: group_means(e.nme, e.groups) for e in evaluations}
    if not any(means.values()):
        return None
    header = ["network", "people", "mean over people", "worst 10 % of people"]
    rows = [
        [name, len(of), finite_mean(list(of.values())), worst_tenth(list(of.values()))]
        for name, of in means.items()
    ]
    worst: list[tuple[str, Table]] = []
    for e in evaluations:
        largest = list(means[e.name].items())[:_PEOPLE_SHOWN]
        people = [[person, e.groups.count(person), value] for person, value in largest]
        table = {"header": ["person or photo", "faces", "mean NME, %"], "rows": people}
        worst.append((f"{e.name}: the {len(people)} with the largest error", table))
    return {"header": header, "rows": rows, "caption": "NME in percent"}, worst


def faces(
    evaluation: Evaluation, evaluations: Sequence[Evaluation]
) -> tuple[Mapping[str, list[tuple[Image, str]]], str]:
    """Tiles of example faces by title, and why there are none."""
    same_faces = not incompatibilities(evaluations)
    others = [e for e in evaluations if e is not evaluation and same_faces]
    try:
        return example_tiles(evaluation, others), ""
    except ImageError as error:
        return {}, f"The images of {evaluation.name} cannot be shown: {error}"
