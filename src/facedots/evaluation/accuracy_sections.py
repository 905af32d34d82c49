"""The sections of a report about where predicted points lie. Each says in words what it shows and
how to read it.
"""

from collections.abc import Callable, Sequence

import numpy as np

from facedots.errors import ImageError
from facedots.evaluation import example_faces as faces
from facedots.evaluation import slices
from facedots.evaluation.result import Result
from facedots.plots.comparison import regions_comparison_figure, slices_figure, trainings_figure
from facedots.plots.curves import ced_figure, history_figure, regions_figure, several_ced_figure
from facedots.plots.page import Cell, Page

_WORST_SHOWN, _TYPICAL_SHOWN, _MISSED_SHOWN, _PEOPLE_SHOWN = 10, 5, 10, 5
_BEST = ", best in green"


def scores_section(page: Page, results: Sequence[Result]) -> None:
    """The table that everybody looks at first."""
    page.heading("Scores")
    page.paragraph(
        "One number each for how far the predicted points are from where people put them, in percent of the distance of the "
        "eyes: at an NME of 4 %, a point is on average a twenty-fifth of that distance off. Less is better, but for AUC10. "
        "Means are over the faces that were found; in the median, FR10 and AUC10 a missed face counts as failed."
    )
    rows: list[list[Cell]] = [
        ["faces measured", *(result.evaluation.scores.n for result in results)],
        [
            "of these missed (no box found)",
            *(result.evaluation.scores.missed for result in results),
        ],
    ]
    marked: set[tuple[int, int]] = set()
    for title, sign, value in _MEASURES:
        values = [value(result) for result in results]
        marked |= {(len(rows), 1 + i) for i in best_of(values, sign)}
        rows.append([title, *values])
    page.table(
        ["measure", *(result.name for result in results)],
        rows,
        "In percent" + _BEST * (len(results) > 1),
        marked,
    )


def curves_section(page: Page, results: Sequence[Result]) -> None:
    """Cumulative error curves."""
    page.heading("How many faces are how good")
    page.paragraph(
        "Each curve says which share of the faces has at most a given error. Further up and to the left is better; how far a "
        "curve stays below 100 % at its right end is the share of failures (FR10)."
    )
    if len(results) > 1:
        figure = several_ced_figure({result.name: result.evaluation.nme for result in results})
    else:
        floor = {} if results[0].floor is None else {"average face": results[0].floor}
        figure = ced_figure({results[0].name: results[0].evaluation.nme, **floor})
    page.figure(figure, "Cumulative distribution of the error (NME) over the faces.")


def regions_section(page: Page, results: Sequence[Result]) -> None:
    """Error by part of the face."""
    page.heading("Error by part of the face")
    page.paragraph(
        "The same error, but over the points of one part of the face only. The outline of the jaw is usually worst, since "
        "people do not agree either where along it a point belongs; eyes are usually best. Left and right are the subject's "
        "own."
    )
    found = [
        result for result in results if result.evaluation.scores.missed < result.evaluation.scores.n
    ]
    if found:
        values = {result.name: result.evaluation.scores.nme_by_region for result in found}
        overall = found[0].evaluation.scores.nme
        several, everyone = len(results) > 1, [result.name for result in results]
        figure = (
            regions_comparison_figure(values, everyone)
            if several
            else regions_figure(values[found[0].name], overall)
        )
        page.figure(figure, "Mean error (NME) of the points of each part of the face.")
    names = results[0].evaluation.schema.regions
    rows: list[list[Cell]] = [
        [region.replace("_", " "), *(r.evaluation.scores.nme_by_region[region] for r in results)]
        for region in names
    ]
    table_with_best(
        page,
        ["part of the face", *(result.name for result in results)],
        rows,
        "Mean NME in percent",
    )


def slices_section(page: Page, results: Sequence[Result]) -> None:
    """Error by size, turn, light, sharpness."""
    page.heading("Error by kind of image")
    page.paragraph(
        "The test faces are sorted into slices by something that may make a face hard. A line that rises to one side says "
        "what a network cannot cope with; a slice with few faces says little. The slices come from the labels and the "
        "images, not from what the network found."
    )
    sliced = {attribute: _slices(attribute, results) for attribute in slices.ATTRIBUTES}
    sliced = {attribute: parts for attribute, parts in sliced.items() if parts[0]}
    if not sliced:
        return
    means = {
        attribute: {
            result.name: [_mean_nme(result, part) for part in of]
            for result, of in zip(results, parts, strict=True)
        }
        for attribute, parts in sliced.items()
    }
    panels = {
        of.title: ([part.label for part in parts[0]], means[of]) for of, parts in sliced.items()
    }
    page.figure(slices_figure(panels), "Mean error (NME) of the faces of each slice.")
    for attribute, parts in sliced.items():
        page.heading(attribute.title, level=3)
        page.paragraph(attribute.meaning)
        rows: list[list[Cell]] = [
            [
                part.label,
                int(part.members.sum()),
                *(means[attribute][result.name][i] for result in results),
            ]
            for i, part in enumerate(parts[0])
        ]
        page.table(["slice", "faces", *(result.name for result in results)], rows, "NME in percent")


def people_section(page: Page, results: Sequence[Result]) -> None:
    """The people that are served worst; nothing if it is not known who is on the images."""
    means = [
        slices.group_means(result.evaluation.nme, result.evaluation.groups) for result in results
    ]
    if not any(means):
        return
    page.heading("The people it serves worst")
    page.paragraph(
        "A good mean can hide that somebody is always got wrong. Here the error is averaged over the faces of each person (or "
        "of each photo, where the data do not say who is on it), and the worst tenth of these averages is looked at."
    )
    rows: list[list[Cell]] = [
        [
            result.name,
            len(of),
            float(np.mean(list(of.values()))) if of else None,
            slices.worst_tenth(of),
        ]
        for result, of in zip(results, means, strict=True)
    ]
    page.table(
        ["network", "people", "mean over people", "worst 10 % of people"], rows, "NME in percent"
    )
    for result, of in zip(results, means, strict=True):
        worst: list[list[Cell]] = [
            [person, result.evaluation.groups.count(person), value]
            for person, value in list(of.items())[:_PEOPLE_SHOWN]
        ]
        with page.details(f"{result.name}: the {len(worst)} with the largest error"):
            page.table(["person or photo", "faces", "mean NME, %"], worst)


def faces_section(page: Page, results: Sequence[Result], *, same_faces: bool) -> None:
    """Images of typical, worst and missed faces."""
    page.heading("Faces to look at")
    page.paragraph(
        "Blue rings are where people put the points, orange dots where the network put them, white lines join the two. Long "
        "lines on a clear face mean that the network failed; points that are wrong in the label show here too."
    )
    for result in results:
        evaluation = result.evaluation
        others = (
            {other.name: other.evaluation for other in results if other is not result}
            if same_faces
            else {}
        )
        order = faces.found_by_nme(evaluation)
        middle = max(0, (len(order) - _TYPICAL_SHOWN) // 2)
        missed = [
            face for face in range(len(evaluation.names)) if not np.isfinite(evaluation.nme[face])
        ]
        rows = {
            "the largest errors": order[::-1][:_WORST_SHOWN],
            "typical ones": order[middle : middle + _TYPICAL_SHOWN],
            "missed: no box was found on these faces": missed[:_MISSED_SHOWN],
        }
        try:
            for title, chosen in rows.items():
                if chosen:
                    page.heading(f"{result.name}: {title}", level=3)
                    page.images(faces.tiles(evaluation, chosen, others))
        except ImageError as error:
            page.note(f"The images of {result.name} cannot be shown: {error}")


def training_section(page: Page, results: Sequence[Result]) -> None:
    """Curves of training, for the runs whose logs are known."""
    histories = {result.name: result.history for result in results if result.history}
    if not histories:
        return
    page.heading("How it was trained")
    page.paragraph(
        "Validation NME is the error on faces held out of training, after each pass over the training faces (epoch): it "
        "should fall and level off. Where it rises while the training loss still falls, the network learns its training faces "
        "by heart. Losses can be compared between runs only if they trained with the same loss and data."
    )
    single = next(iter(histories.values()))
    figure = (
        trainings_figure(histories, [result.name for result in results])
        if len(results) > 1
        else history_figure(single)
    )
    page.figure(figure, "Validation error and training loss over the epochs.")


def best_of(values: Sequence[float], sign: int) -> list[int]:
    """The places of the lowest values (``sign`` 1) or the highest (-1); none for one network, or
    ``sign`` 0.
    """
    known = [sign * value for value in values if np.isfinite(value)]
    if sign == 0 or len(known) < 2:
        return []
    best = round(min(known), 2)
    return [
        i for i, value in enumerate(values) if np.isfinite(value) and round(sign * value, 2) == best
    ]


def table_with_best(
    page: Page,
    header: Sequence[str],
    rows: Sequence[Sequence[Cell]],
    caption: str,
    badness: Callable[[float], float] = float,
) -> None:
    """A table with a column for each network; the best number of each row is marked, if there are
    several.

    Args:
        page: Where it goes.
        header: What the rows are, and the names of the networks.
        rows: Name and numbers.
        caption: Says what the numbers are.
        badness: How bad a number is; the least bad is best.
    """
    marked = {
        (r, 1 + i)
        for r, row in enumerate(rows)
        for i in best_of([badness(_number(cell)) for cell in row[1:]], 1)
    }
    page.table(header, rows, caption + _BEST * (len(header) > 2), marked)


def _number(cell: Cell) -> float:
    return np.nan if cell is None or isinstance(cell, str) else float(cell)


def _mean_nme(result: Result, part: slices.Slice) -> float:
    errors = result.evaluation.nme[part.members]
    errors = errors[np.isfinite(errors)]
    return float(errors.mean()) if len(errors) else np.nan


def _slices(attribute: slices.Attribute, results: Sequence[Result]) -> list[list[slices.Slice]]:
    """The slices of each network's faces, cut at the same places for all; empty lists where the
    attribute is not known.
    """
    values = [result.evaluation.attributes[attribute.name] for result in results]
    edges = slices.slice_edges(attribute, np.concatenate(values))
    return [slices.cut(attribute, of, edges) for of in values]


def _worst_tenth_of_faces(result: Result) -> float:
    errors = np.sort(result.evaluation.nme[np.isfinite(result.evaluation.nme)])[::-1]
    return float(errors[: -(-len(errors) // 10)].mean()) if len(errors) else np.nan


def _floor(result: Result) -> float:
    known = np.zeros(0) if result.floor is None else result.floor[np.isfinite(result.floor)]
    return float(known.mean()) if len(known) else np.nan


_MEASURES: tuple[tuple[str, int, Callable[[Result], float]], ...] = (
    ("NME: mean error", 1, lambda result: result.evaluation.scores.nme),
    (
        "median NME: the error of a typical face",
        1,
        lambda result: result.evaluation.scores.nme_median,
    ),
    (
        "NME* (one constant shift of all points taken off)",
        1,
        lambda result: result.evaluation.scores.nme_shift_free,
    ),
    ("FR10: faces with an NME above 10 %", 1, lambda result: result.evaluation.scores.fr10),
    ("AUC10: area under the curve below", -1, lambda result: result.evaluation.scores.auc10),
    ("NME of the worst tenth of the faces", 1, _worst_tenth_of_faces),
    ("for comparison: NME of an average face put into each box", 0, _floor),
)
"""What it is, 1 where less is better or -1 where more is or 0, and its value."""
