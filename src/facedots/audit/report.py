"""An audit as files: one page for people, one JSON file and one table of all faces for programs."""

import csv
import io
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from facedots.audit.audit import Audit
from facedots.audit.duplicates import MAX_HAMMING
from facedots.audit.figures import (
    coverage_figure,
    displacement_figure,
    looks_figure,
    suspect_images,
    twin_images,
)
from facedots.audit.findings import findings, part_pairs, same_bytes, twins_between
from facedots.audit.fix import Change
from facedots.evaluation.metrics import Doubles, nme, nme_by_region
from facedots.io.files import atomic_write
from facedots.plots.page import Cell, Page

PAGE, NUMBERS, FACES = "index.html", "audit.json", "faces.csv"
_WORDS = {"fault": "FAULT", "care": "take care", "fine": "fine", "unknown": "not checked"}


def write_report(
    audit: Audit,
    folder: str | Path,
    title: str,
    note: str = "",
    changed: Mapping[int, Change] | None = None,
) -> list[Path]:
    """Write ``index.html``, ``audit.json`` and ``faces.csv``.

    Args:
        audit: What was found.
        folder: Made where missing.
        title: How the data are called.
        note: What a reader must know of the network, as in what it was trained on.
        changed: What was mended or dropped in a copy, if anything was asked for.

    Returns:
        The three files.

    Raises:
        OutputError: The folder cannot be written.
    """
    root = Path(folder)
    page(audit, title, note, changed).write(root / PAGE)
    atomic_write(root / NUMBERS, json.dumps(numbers(audit), indent=1, allow_nan=False) + "\n")
    atomic_write(root / FACES, faces_table(audit))
    return [root / name for name in (PAGE, NUMBERS, FACES)]


def numbers(audit: Audit) -> dict[str, Any]:
    """All findings and counts as plain numbers, lists and dicts."""
    return {
        "faces": len(audit.faces),
        "schema": audit.schema.name,
        "network": audit.network or None,
        "findings": [asdict(finding) for finding in findings(audit)],
        "stats": audit.stats.to_dict(),
        "equal_files": [[str(audit.images[i].path) for i in pair] for pair in same_bytes(audit)],
        "near_duplicates": [
            {
                "first": str(audit.images[pair.first].path),
                "second": str(audit.images[pair.second].path),
                "bits": pair.bits,
            }
            for pair in audit.duplicates
        ],
        "displacement": {part: asdict(found) for part, found in audit.displacements.items()},
        "tests": {
            name: {
                "meaning": test.meaning,
                "limit": round(test.limit, 5) if np.isfinite(test.limit) else None,
            }
            for name, test in audit.label_outliers.tests.items()
        },
        "kinds": dict(Counter(kind for kind in audit.label_outliers.kinds if kind).most_common()),
        "coverage": {
            measure.name: {
                name: _rounded(share)
                for name, share in zip(measure.classes, measure.shares(), strict=True)
            }
            for measure in audit.coverage
        },
    }


def faces_table(audit: Audit) -> str:
    """A CSV with a row for each face, the most suspicious first: what is wrong, which points, and
    the number of each test.
    """
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    tests = audit.label_outliers.tests
    table.writerow(["part", "name", "kind", "points", "times the limit", *tests])
    for i in audit.ranking:
        points = " ".join(audit.schema.names[k] for k in audit.label_outliers.points[i])
        row = [
            audit.part_of[i],
            audit.faces[i].name,
            audit.label_outliers.kinds[i],
            points,
            f"{audit.label_outliers.scores[i]:.3f}",
        ]
        table.writerow(
            [
                *row,
                *(
                    f"{test.values[i]:.4f}" if np.isfinite(test.values[i]) else ""
                    for test in tests.values()
                ),
            ]
        )
    return text.getvalue()


def page(
    audit: Audit, title: str, note: str = "", changed: Mapping[int, Change] | None = None
) -> Page:
    """The page: what was found in one table, then each question with its numbers, figures and
    images.
    """
    told = (
        f"Can these labeled faces be trusted? {len(audit.faces)} faces in {len(audit.parts)} parts were put to the "
        "questions below; nothing was known about them beforehand but their files."
    )
    result = Page(f"Audit of {title}", told)
    result.heading("In short")
    found = findings(audit)
    rows = [(_WORDS[finding.level], finding.check, finding.text) for finding in found]
    result.table(["", "question", "answer"], rows)
    _duplicates(result, audit)
    _displacement(result, audit, note)
    _suspects(result, audit)
    _disagreement(result, audit, note)
    _coverage(result, audit)
    if changed is not None:
        _changes(result, changed)
    return result


def _duplicates(result: Page, audit: Audit) -> None:
    result.heading("The same image twice")
    result.paragraph(
        "Each image is reduced to a look: 256 bits that say which of its coarsest cosine waves are strong. Encoding a "
        "image anew, halving or brightening it changes few of them; another image of another person changes many. "
        f"Up to {MAX_HAMMING} bits count as near duplicates; the figure shows what lies on either side in these data."
    )
    result.figure(
        looks_figure(audit),
        "Bits that differ between two looks; the dashed line is the limit for near duplicates.",
    )
    pairs = [(part, part) for part in audit.parts] + part_pairs(audit)
    equal = [(audit.images[a].part, audit.images[b].part) for a, b in same_bytes(audit)]
    rows: list[list[Cell]] = []
    for first, second in pairs:
        between = twins_between(audit, first, second)
        files = sum({a, b} == {first, second} for a, b in equal)
        concerned = len({i for pair in between for i in (pair.first, pair.second)})
        rows.append(
            [first if first == second else f"{first} and {second}", files, len(between), concerned]
        )
    result.table(["where", "equal files", "pairs that look the same", "images in such pairs"], rows)
    with result.details(
        "Pairs that look the same, those across parts first and the least alike first"
    ):
        result.images(twin_images(audit), width=300)


def _displacement(result: Page, audit: Audit, note: str) -> None:
    result.heading("Do the labels lie on the features?")
    if not audit.displacements:
        result.note(f"Not checked: {audit.not_asked or 'no image could be seen'}.")
        return
    result.paragraph(
        "The mirror test: the network looks at each face and at its mirror image. If it puts points too far right, it puts "
        "them too far left once the mirror image is turned back. The mean of both has no such bias, and labels minus that "
        "mean is their displacement. This works sideways only: the vertical number compares with the labels that the "
        "network learned from. " + note
    )
    result.figure(
        displacement_figure(audit),
        "One dot a face: where its label lies beside the features; the crosses are medians.",
    )
    header = [
        "part and eye distance",
        "faces",
        "right, px",
        "down, px",
        "right, % of eyes",
        "network's own bias, px",
        "costs NME, %",
    ]
    rows: list[list[Cell]] = []
    for part, found in audit.displacements.items():
        rows.append([part, found.faces, *found.pixels, found.percent[0], found.bias, found.nme])
        rows += [
            [
                f"{part}, about {group.eye_distance:.0f} px",
                None,
                *group.pixels,
                group.percent[0],
                None,
                None,
            ]
            for group in found.sizes
        ]
    result.table(
        header,
        rows,
        "The same pixels at all sizes speak for another way to count pixels, the same percent for aim.",
    )


def _suspects(result: Page, audit: Audit) -> None:
    result.heading("Which labels are probably wrong?")
    if not audit.label_outliers.tests:
        result.note(
            "Too few faces, or faces of too few points, to say what is usual; only the order of points was checked."
        )
    flagged = Counter(kind for kind in audit.label_outliers.kinds if kind)
    if audit.label_outliers.tests:
        result.paragraph(
            "A label is suspicious where a number is out of line: more than four robust deviations above the median of all "
            "faces, on a logarithmic scale. A wrong point is found by where the other points of its face put it."
        )
        tests = audit.label_outliers.tests
        rows: list[list[Cell]] = [
            [name, test.meaning, test.limit, int((test.ratios >= 1).sum())]
            for name, test in tests.items()
        ]
        result.table(["test", "what is measured", "limit", "faces beyond it"], rows)
    share = 100 / len(audit.faces)
    kinds: list[list[Cell]] = [
        [name, count, count * share] for name, count in flagged.most_common()
    ]
    result.table(["what seems wrong", "faces", "%"], kinds or [["nothing", 0, 0.0]])
    tiles = suspect_images(audit)
    result.heading(f"The {len(tiles)} most suspicious faces", level=3)
    result.paragraph(
        "Blue: the label. Orange: where the network sees the points. Red ring: a point that seems moved."
    )
    result.images(tiles, width=200)
    result.paragraph(f"All faces with their numbers are in {FACES}.")


def _disagreement(result: Page, audit: Audit, note: str) -> None:
    result.heading("Network and label, region by region")
    if not audit.displacements:
        result.note(f"Not checked: {audit.not_asked or 'no image could be seen'}.")
        return
    result.paragraph(
        "Mean distance of label and network in percent of the eye distance, each part's displacement taken off. "
        + note
    )
    columns: dict[str, dict[str, float]] = {}
    for part, found in audit.displacements.items():
        chosen = audit.in_part(part) & np.isfinite(audit.sights.predicted).all(axis=(1, 2))
        truth, seen = audit.ordered[chosen] - found.pixels, audit.sights.predicted[chosen]
        columns[part] = {"all points": _mean(nme(seen, truth, audit.schema))}
        by_region = nme_by_region(seen, truth, audit.schema)
        columns[part] |= {
            region.replace("_", " "): _mean(values) for region, values in by_region.items()
        }
    names = next(iter(columns.values()))
    rows: list[list[Cell]] = [
        [name, *(values[name] for values in columns.values())] for name in names
    ]
    result.table(["region", *(f"{part}, %" for part in columns)], rows)


def _coverage(result: Page, audit: Audit) -> None:
    result.heading("What is covered?")
    if any(np.isfinite(measure.values).any() for measure in audit.coverage):
        result.figure(
            coverage_figure(audit),
            "How many faces have which size, brightness and pose; dotted lines bound the classes.",
        )
    for measure in audit.coverage:
        shares = [measure.shares(audit.in_part(part)) for part in audit.parts]
        rows: list[list[Cell]] = [
            [name, *(100 * float(share[k]) for share in shares)]
            for k, name in enumerate(measure.classes)
        ]
        marked = {
            (k, c + 1)
            for c, share in enumerate(shares)
            for k in range(len(measure.classes))
            if measure.classes[k] in measure.rare
        }
        result.table([measure.name, *(f"{part}, %" for part in audit.parts)], rows, marked=marked)
    result.paragraph("Marked: classes with less than 2 % of all faces.")


def _changes(result: Page, changed: Mapping[int, Change]) -> None:
    result.heading("What was changed in the copy")
    result.paragraph(
        "The data themselves were not touched. clean/ holds a CSV for each part; clean/changes.json lists all changes so "
        "that a program can read or undo them. Only what is certain was mended: wrong orders, and faces labeled twice in "
        "equal files. Suspicious labels go only where that was asked for."
    )
    counts = Counter(
        (change.action, change.reason.partition(" as ")[0]) for change in changed.values()
    )
    rows: list[list[Cell]] = [
        [action, reason, count] for (action, reason), count in counts.most_common()
    ]
    result.table(["action", "reason", "faces"], rows or [["nothing", "", 0]])
    with result.details(f"All {len(changed)} changes"):
        result.table(
            ["face", "action", "reason"],
            [
                [f"{change.part}/{change.name}", change.action, change.reason]
                for change in changed.values()
            ],
        )


def _mean(values: Doubles) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else np.nan


def _rounded(share: float) -> float | None:
    return round(float(share), 4) if np.isfinite(share) else None
