"""An audit as files: one page for people, a JSON file and a CSV of all faces for programs."""

import csv
import io
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facedots.audit.audit import Audit
from facedots.audit.duplicates import MAX_HAMMING, nearest_distances, reencoded_distances
from facedots.audit.figures import (
    draw_face_tile,
    draw_pair,
    plot_coverage,
    plot_hash_distances,
    plot_label_offsets,
)
from facedots.audit.findings import count_noun, summarize
from facedots.audit.fix import Change
from facedots.errors import ImageError
from facedots.evaluation.metrics import nme, nme_by_region
from facedots.geometry import Image, Matrix
from facedots.io.files import atomic_write
from facedots.io.images import read_image
from facedots.io.names import csv_cell
from facedots.plots.page import Cell, render_page

PAGE, NUMBERS, FACES = "index.html", "audit.json", "faces.csv"

REENCODED_SAMPLE = 60
"""Images that are encoded anew, to show how far that changes their hashes."""

_QUESTION = "Can these labeled faces be trusted?"
_LEVELS = {"error": "ERROR", "warning": "warning", "skipped": "not checked", "ok": "ok"}

Rows = list[list[Cell]]
Tiles = list[tuple[Image, str]]


def write_report(
    audit: Audit,
    folder: str | Path,
    title: str,
    note: str = "",
    changes: Mapping[int, Change] | None = None,
) -> list[Path]:
    """Write ``index.html``, ``audit.json`` and ``faces.csv``.

    Args:
        audit: The audit.
        folder: Made where missing.
        title: Name of the data.
        note: What readers must know of the model, as in what it was trained on.
        changes: Changes in a copy, see :func:`facedots.audit.fix.plan_changes`; None for none.

    Returns:
        The three files.

    Raises:
        OutputError: The folder cannot be written.
    """
    root = Path(folder)
    page = render_page("audit/templates/audit.html.j2", **_context(audit, title, note, changes))
    atomic_write(root / PAGE, page)
    atomic_write(root / NUMBERS, json.dumps(audit_json(audit), indent=1, allow_nan=False) + "\n")
    atomic_write(root / FACES, faces_csv(audit))
    return [root / name for name in (PAGE, NUMBERS, FACES)]


def audit_json(audit: Audit) -> dict[str, Any]:
    """All findings and counts as plain numbers, lists and dicts."""
    paths = [str(image.file.path) for image in audit.images]
    return {
        "faces": len(audit.faces),
        "schema": audit.schema.name,
        "model": audit.model or None,
        "findings": [asdict(finding) for finding in summarize(audit)],
        "stats": audit.stats.to_dict(),
        "equal_files": [[paths[i], paths[j]] for i, j in audit.equal_files],
        "near_duplicates": [
            {"first": paths[pair.first], "second": paths[pair.second], "distance": pair.distance}
            for pair in audit.near_duplicates
        ],
        "label_offset": {name: asdict(offset) for name, offset in audit.label_offsets.items()},
        "tests": {
            name: {"meaning": test.meaning, "limit": _finite(test.limit, 5)}
            for name, test in audit.label_outliers.tests.items()
        },
        "kinds": audit.label_outliers.counts,
        "coverage": {
            measure.name: {
                name: _finite(share, 4)
                for name, share in zip(measure.classes, measure.shares(), strict=True)
            }
            for measure in audit.coverage
        },
    }


def faces_csv(audit: Audit) -> str:
    """A row per face, by rank: what is wrong, which points, and the number of each test."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    outliers = audit.label_outliers
    table.writerow(["subset", "name", "kind", "points", "times the limit", *outliers.tests])
    for i in audit.ranking:
        values = [test.values[i] for test in outliers.tests.values()]
        table.writerow(
            [
                csv_cell(audit.subset_of[i]),
                csv_cell(audit.faces[i].name),
                outliers.kinds[i],
                " ".join(audit.schema.names[k] for k in outliers.points[i]),
                f"{outliers.scores[i]:.3f}",
                *(f"{value:.4f}" if np.isfinite(value) else "" for value in values),
            ]
        )
    return text.getvalue()


def _context(
    audit: Audit, title: str, note: str, changes: Mapping[int, Change] | None
) -> dict[str, object]:
    """Variables of the template."""
    percent = 100 / len(audit.faces)
    tests, counts = audit.label_outliers.tests.items(), audit.label_outliers.counts.items()
    known = [measure for measure in audit.coverage if np.isfinite(measure.values).any()]
    masks = {name: audit.mask(name) for name in audit.subsets}
    return {
        "title": f"Audit of {title}",
        "intro": f"{_QUESTION} {count_noun(len(audit.faces), 'face')}, "
        f"{count_noun(len(audit.subsets), 'subset')}.",
        "note": note,
        "skipped": f"Not checked: {audit.skip_reason or 'no image could be read'}.",
        "finding_rows": [
            [_LEVELS[finding.level], finding.check, finding.text] for finding in summarize(audit)
        ],
        "max_hamming": MAX_HAMMING,
        "hash_figure": plot_hash_distances(_hash_distances(audit)),
        "duplicate_rows": _duplicate_rows(audit),
        "duplicate_tiles": list(_duplicate_tiles(audit)),
        "offset_figure": _offset_figure(audit) if audit.label_offsets else None,
        "offset_columns": [f"{name}, %" for name in audit.label_offsets],
        "offset_rows": _offset_rows(audit),
        "test_rows": [
            [name, test.meaning, test.limit, int((test.ratios >= 1).sum())] for name, test in tests
        ],
        "kind_rows": [[name, count, count * percent] for name, count in counts],
        "outlier_tiles": list(_outlier_tiles(audit)),
        "faces_csv": FACES,
        "region_rows": _region_rows(audit),
        "coverage_figure": plot_coverage(known, masks) if known else None,
        "subset_columns": [f"{name}, %" for name in audit.subsets],
        "coverage_tables": _coverage_tables(audit),
        "change_rows": _change_rows(changes or {}),
        "all_change_rows": None
        if changes is None
        else [[audit.face_name(i), one.action, one.reason] for i, one in changes.items()],
    }


def _hash_distances(audit: Audit) -> dict[str, NDArray[np.int64]]:
    """Hamming distances of images to themselves encoded anew, and to their nearest neighbors."""
    groups = {face.image: face.group or face.name for face in audit.faces}
    paths = [image.file.path for image in audit.images]
    names = [groups.get(path, str(path)) for path in paths]
    hashes = [image.file.phash for image in audit.images]
    sample = [image.file for image in audit.images[:: max(1, len(paths) // REENCODED_SAMPLE)]]
    return {
        "the same image, encoded anew": reencoded_distances(sample),
        "the nearest of the same person or photo": nearest_distances(hashes, names),
        "the nearest of another": nearest_distances(hashes, names, across=True),
    }


def _duplicate_rows(audit: Audit) -> Rows:
    """Subsets, equal files, near duplicates, images in near duplicates."""
    subsets = [image.subset for image in audit.images]
    equal = [{subsets[i], subsets[j]} for i, j in audit.equal_files]
    rows: Rows = []
    for first, second in [*((name, name) for name in audit.subsets), *audit.subset_pairs]:
        pairs = audit.near_duplicates_between(first, second)
        images = {i for pair in pairs for i in (pair.first, pair.second)}
        name = first if first == second else f"{first} and {second}"
        rows.append([name, equal.count({first, second}), len(pairs), len(images)])
    return rows


def _duplicate_tiles(audit: Audit, count: int = 12) -> Iterator[tuple[Image, str]]:
    """Near duplicates side by side: those across subsets first, then the least alike first."""
    subsets = [image.subset for image in audit.images]
    equal = set(audit.equal_files)
    audited = [pair for pair in audit.near_duplicates if subsets[pair.first] in audit.subsets]
    audited.sort(key=lambda pair: (subsets[pair.first] == subsets[pair.second], -pair.distance))
    for pair in audited[:count]:
        first, second = audit.images[pair.first], audit.images[pair.second]
        images = [read_image(one.file.path, orient=False) for one in (first, second)]
        same_bytes = (pair.first, pair.second) in equal
        distance = "equal files" if same_bytes else f"{pair.distance} bits differ"
        yield draw_pair(*images), f"{first.name}\n{second.name}\n{distance}"


def _offset_figure(audit: Audit) -> object:
    offsets: dict[str, Matrix] = {}
    for name in audit.label_offsets:
        mask = audit.predicted_mask(name)
        offsets[name] = np.nanmedian(audit.ordered[mask] - audit.scan.predicted[mask], axis=1)
    medians = {name: offset.pixels for name, offset in audit.label_offsets.items()}
    return plot_label_offsets(offsets, medians)


def _offset_rows(audit: Audit) -> Rows:
    """Per subset, and per class of its faces by size."""
    rows: Rows = []
    for name, offset in audit.label_offsets.items():
        percent = offset.percent[0]
        rows.append([name, offset.faces, *offset.pixels, percent, offset.bias, offset.nme])
        for one in offset.sizes:
            label = f"{name}, about {one.eye_distance:.0f} px"
            rows.append([label, None, *one.pixels, one.percent[0], None, None])
    return rows


def _outlier_tiles(audit: Audit, count: int = 50) -> Iterator[tuple[Image, str]]:
    """The most suspicious faces, the worst first."""
    outliers, predicted = audit.label_outliers, audit.scan.predicted
    for rank, i in enumerate(audit.ranking[:count], start=1):
        face, moved = audit.faces[i], outliers.points[i]
        try:
            image = read_image(face.image, orient=False)
        except ImageError:
            continue
        kind = outliers.kinds[i] or "no outlier"
        if moved and not audit.permutations[i]:
            names = [audit.schema.names[k] for k in moved[:3]] + ["…"] * (len(moved) > 3)
            kind += f" ({', '.join(names)})"
        place = f"{rank}. {audit.face_name(i)}"
        caption = f"{place}\n{kind}; {outliers.scores[i]:.2f} times the limit"
        yield draw_face_tile(image, audit.labels[i], predicted[i], moved, audit.schema), caption


def _region_rows(audit: Audit) -> Rows:
    """NME between label and prediction by region, and by subset, whose offset is subtracted."""
    columns: list[dict[str, Matrix]] = []
    for name, offset in audit.label_offsets.items():
        mask = audit.predicted_mask(name)
        truth, predicted = audit.ordered[mask] - offset.pixels, audit.scan.predicted[mask]
        regions = nme_by_region(predicted, truth, audit.schema)
        columns.append({"all points": nme(predicted, truth, audit.schema), **regions})
    names = columns[0] if columns else ()
    return [
        [name.replace("_", " "), *(_finite_mean(column[name]) for column in columns)]
        for name in names
    ]


def _coverage_tables(audit: Audit) -> list[tuple[str, Rows, set[tuple[int, int]]]]:
    """Per measure its name, a row of percentages per class, and the cells of rare classes."""
    tables = []
    for measure in audit.coverage:
        shares = [measure.shares(audit.mask(name)) for name in audit.subsets]
        rows: Rows = [
            [name, *(100 * float(share[k]) for share in shares)]
            for k, name in enumerate(measure.classes)
        ]
        rare = {measure.classes.index(name) for name in measure.rare}
        marked = {(k, column) for k in rare for column in range(1, len(shares) + 1)}
        tables.append((measure.name, rows, marked))
    return tables


def _change_rows(changes: Mapping[int, Change]) -> Rows:
    """Counts by action and reason."""
    reasons = [(one.action, one.reason.partition(" as ")[0]) for one in changes.values()]
    return [[action, reason, count] for (action, reason), count in Counter(reasons).most_common()]


def _finite_mean(values: Matrix) -> float:
    values = values[np.isfinite(values)]
    return float(values.mean()) if len(values) else np.nan


def _finite(value: float, digits: int) -> float | None:
    return round(float(value), digits) if np.isfinite(value) else None
