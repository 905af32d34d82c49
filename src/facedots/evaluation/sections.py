"""The sections of a report: their tables as arguments of the macro ``table``, figures and tiles of
example faces.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from facedots.errors import ImageError
from facedots.evaluation.measures import (
    ACCURACY,
    FACE_UNCERTAINTY,
    PUPILS,
    UNCERTAINTY,
    VISIBILITY,
    Measure,
    UncertaintyMetrics,
    accuracy_values,
    pupil_values,
    visibility_values,
)
from facedots.evaluation.metrics import finite_mean, worst_tenth
from facedots.evaluation.result import Evaluation
from facedots.evaluation.slices import ATTRIBUTES, Attribute, cut, group_means, slice_edges
from facedots.evaluation.uncertainty_metrics import ause, coverage
from facedots.geometry import Image
from facedots.io.images import read_image
from facedots.plots.curves import ced_figure, regions_figure, slices_figure
from facedots.plots.faces import Comparison, comparison_tile
from facedots.plots.page import Cell
from facedots.plots.uncertainty import reliability_figure, sparsification_figure

FACES_PER_ROW = 6
_WORST, _TYPICAL, _MISSED, _PEOPLE = 10, 5, 10, 5
_GROUP = {"people": "person", "images": "image", "people or images": "person or image"}

Table = dict[str, Any]
"""Arguments of the macro ``table``."""

Row = tuple[str, Measure | None, Sequence[float]]
"""Title, measure if there is a best value, and the value of each network."""


def _rows(measures: Iterable[Measure], values: Sequence[Mapping[str, float]]) -> list[Row]:
    """A row for each measure that a network has, from the values by name of each."""
    return [
        (f"{m.title}, {m.unit}", m, [of.get(m.name, np.nan) for of in values])
        for m in measures
        if any(m.name in of for of in values)
    ]


def _table(header: Sequence[str], rows: Sequence[Row], caption: str = "") -> Table:
    """A table with a column per network; of several, the best values of a measure are marked."""
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


def accuracy_table(evaluations: Sequence[Evaluation]) -> Table:
    """Counts of faces and the measures of accuracy."""
    counts: list[Row] = [
        ("faces measured", None, [e.accuracy.n for e in evaluations]),
        ("of these missed (no box found)", None, [e.accuracy.missed for e in evaluations]),
    ]
    rows = _rows(ACCURACY, [accuracy_values(evaluation) for evaluation in evaluations])
    return _table(["measure", *(e.name for e in evaluations)], [*counts, *rows])


def error_curves(evaluations: Sequence[Evaluation]) -> Figure:
    """Cumulative error curves, of a single network with its baseline."""
    baselines = {}
    if len(evaluations) == 1 and evaluations[0].baseline is not None:
        baselines["average face"] = evaluations[0].baseline
    return ced_figure({e.name: e.nme for e in evaluations}, baselines)


def regions(evaluations: Sequence[Evaluation]) -> tuple[Figure | None, Table]:
    """Error by region; no figure where every face was missed."""
    by_region = {e.name: e.accuracy.nme_by_region for e in evaluations}
    overall = evaluations[0].accuracy.nme if len(evaluations) == 1 else None
    predicted = any(e.accuracy.missed < e.accuracy.n for e in evaluations)
    figure = regions_figure(by_region, overall) if predicted else None
    rows: list[Row] = [
        (_words(region), ACCURACY[0], [of[region] for of in by_region.values()])
        for region in evaluations[0].schema.regions
    ]
    return figure, _table(["part of the face", *by_region], rows, "Mean NME in percent")


def by_slice(
    evaluations: Sequence[Evaluation],
) -> tuple[Figure | None, list[tuple[Attribute, Table]]]:
    """The figure, and a table for each attribute with a finite value."""
    panels, tables = {}, list[tuple[Attribute, Table]]()
    for attribute in ATTRIBUTES:
        values = [evaluation.attributes[attribute.name] for evaluation in evaluations]
        # A face that several networks were measured on counts once.
        faces = {
            n: v
            for e, of in zip(evaluations, values, strict=True)
            for n, v in zip(e.names, of, strict=True)
        }
        edges = slice_edges(attribute, list(faces.values()))
        if not edges:
            continue
        slices = [cut(attribute, of, edges) for of in values]
        means = {
            e.name: [finite_mean(e.nme[members]) for members in of.values()]
            for e, of in zip(evaluations, slices, strict=True)
        }
        labels, counts = [*slices[0]], [int(members.sum()) for members in slices[0].values()]
        rows = [list(row) for row in zip(labels, counts, *means.values(), strict=True)]
        header = ["slice", "faces", *means]
        panels[attribute.title] = (labels, means)
        tables.append((attribute, {"header": header, "rows": rows, "caption": "NME in percent"}))
    return slices_figure(panels) if panels else None, tables


def uncertainty(every: Mapping[str, UncertaintyMetrics]) -> Mapping[str, Any]:
    """Names without uncertainty, tables and figures of the others."""
    metrics = {name: m for name, m in every.items() if m.available}
    inside: dict[str, list[float] | None] = dict.fromkeys(every)
    confidence: dict[str, Any] = dict.fromkeys(every)
    curves: dict[str, Any] = {}
    for name, of in every.items():
        label = f"{name}: AUSE {ause(of.sparsification()):.0f} % of random"
        curves[label] = of.sparsification() if of.available else None
        if of.available:
            inside[name] = [coverage(of.coverage_probability, p) for p in np.linspace(0, 1, 101)]
            confidence[name] = of.confidence()
    rows = _rows([*UNCERTAINTY, *FACE_UNCERTAINTY], [of.values() for of in metrics.values()])
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
    titles = {m: f"{m.title}, {m.unit}" for m in UNCERTAINTY}
    if len(metrics) == 1:
        cells = [[_words(region), *(of[m.name] for m in titles)] for region, of in first.items()]
        return [("", {"header": ["part of the face", *titles.values()], "rows": cells})]
    tables = []
    for m, title in titles.items():
        rows: list[Row] = [
            (_words(region), m, [of[region][m.name] for of in by_region.values()])
            for region in first
        ]
        tables.append((title, _table(["part of the face", *by_region], rows, title)))
    return tables


def hidden_and_pupils(evaluations: Sequence[Evaluation]) -> Table | None:
    """Measures of hidden points and of pupils, where one of the networks has them."""
    rows = list[Row]()
    for measures, measured in ((VISIBILITY, visibility_values), (PUPILS, pupil_values)):
        values = [measured(evaluation) for evaluation in evaluations]
        rows += _rows(measures, values) if any(values) else []
    return _table(["measure", *(e.name for e in evaluations)], rows) if rows else None


def people(evaluations: Sequence[Evaluation]) -> tuple[Table, list[tuple[str, Table]]] | None:
    """Means over people or images, and the worst of each network; ``None`` where no face has a
    group.
    """
    means = {e.name: group_means(e.nme, e.groups) for e in evaluations}
    if not any(means.values()):
        return None
    groups = evaluations[0].context.groups_text
    header = ["network", groups, f"mean over {groups}", f"worst 10 % of {groups}"]
    rows = [
        [name, len(of), finite_mean(list(of.values())), worst_tenth(list(of.values()))]
        for name, of in means.items()
    ]
    worst: list[tuple[str, Table]] = []
    for e in evaluations:
        largest = list(means[e.name].items())[:_PEOPLE]
        cells = [[person, e.groups.count(person), value] for person, value in largest]
        table = {"header": [_GROUP[e.context.groups_text], "faces", "mean NME, %"], "rows": cells}
        worst.append((f"{e.name}: the {len(cells)} with the largest error", table))
    return {"header": header, "rows": rows, "caption": "NME in percent"}, worst


def ranking(evaluation: Evaluation) -> list[int]:
    """The indices of the faces that were not missed, lowest NME first."""
    order = np.argsort(evaluation.nme, kind="stable")
    indices: list[int] = order[np.isfinite(evaluation.nme[order])].tolist()
    return indices


def example_rows(evaluation: Evaluation) -> dict[str, list[Comparison]]:
    """The faces with the lowest, the middle and the highest NME, without missed ones: each once,
    and no row that is empty.
    """
    order = ranking(evaluation)
    count = min(FACES_PER_ROW, -(-len(order) // 3))
    rows = _once(
        {"best": order[:count], "worst": order[::-1][:count], "typical": _middle(order, count)}
    )
    return {
        name: [_comparison(evaluation, face) for face in rows[name]]
        for name in ("best", "typical", "worst")
        if name in rows
    }


def example_tiles(
    evaluation: Evaluation, others: Iterable[Evaluation] = ()
) -> tuple[dict[str, list[tuple[Image, str]]], str]:
    """Small images of the worst, typical and missed faces, each once, with captions (name, NME,
    also that of others on the same faces, size, turn) by title; and why there are none. Where few
    faces were found, all of them are in one row.
    """
    order = ranking(evaluation)
    missed: list[int] = np.flatnonzero(np.isinf(evaluation.nme)).tolist()
    rows = {"largest errors": order[::-1][:_WORST], "typical faces": _middle(order, _TYPICAL)}
    if len(order) <= _WORST + _TYPICAL:
        rows = {"the faces, largest error first": order[::-1]}
    rows = _once({**rows, "missed: no box on these faces": missed[:_MISSED]})
    try:
        tiles = {
            title: [
                (comparison_tile(_comparison(evaluation, i)), _caption(evaluation, i, others))
                for i in row
            ]
            for title, row in rows.items()
        }
    except ImageError as error:
        return {}, f"The images of {evaluation.name} cannot be shown: {error}"
    return tiles, ""


def _once(rows: Mapping[str, list[int]]) -> dict[str, list[int]]:
    """Each face in the first row that has it; without the rows that are then empty."""
    shown: set[int] = set()
    result = {}
    for name, row in rows.items():
        if new := [face for face in row if face not in shown]:
            result[name] = new
            shown.update(new)
    return result


def _middle(order: list[int], count: int) -> list[int]:
    start = max(0, (len(order) - count) // 2)
    return order[start : start + count]


def _comparison(evaluation: Evaluation, face: int) -> Comparison:
    return Comparison(
        image=read_image(evaluation.images[face], orient=False),
        true=evaluation.true[face],
        predicted=evaluation.predicted[face],
        title=f"{Path(evaluation.names[face]).name}\nNME {evaluation.nme[face]:.2f} %",
    )


def _caption(evaluation: Evaluation, face: int, others: Iterable[Evaluation]) -> str:
    error, attributes = evaluation.nme[face], evaluation.attributes
    lines = [evaluation.names[face], f"NME {error:.1f} %" if np.isfinite(error) else "missed"]
    lines += [f"{other.name}: {other.nme[face]:.1f} %" for other in others]
    yaw = attributes["yaw"][face]
    turn = f", turned {abs(yaw):.0f}°" if np.isfinite(yaw) else ""
    return "\n".join([*lines, f"eyes {attributes['eye_distance'][face]:.0f} px apart{turn}"])


def _words(region: str) -> str:
    return region.replace("_", " ")
