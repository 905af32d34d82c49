"""An audit as files: one page for people, a JSON file and a CSV of all faces for programs."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facedots.audit.audit import Audit
from facedots.audit.figures import (
    draw_face_tile,
    draw_pair,
    plot_coverage,
    plot_hash_distances,
    plot_label_offsets,
)
from facedots.audit.findings import summarize
from facedots.audit.fix import Change
from facedots.audit.image_files import MAX_HAMMING, nearest_distances, reencoded_distances
from facedots.audit.scan import Measure
from facedots.errors import ImageError
from facedots.evaluation.metrics import finite_mean, nme, nme_by_region, plain
from facedots.geometry import Image, Matrix
from facedots.io.files import atomic_write
from facedots.io.images import read_image
from facedots.io.text import count_noun, csv_cell, csv_line
from facedots.plots.page import Cell, render_page

PAGE, NUMBERS, FACES = "index.html", "audit.json", "faces.csv"

REENCODED_SAMPLE = 60
"""Images that are encoded anew, to show how far that changes their hashes."""

_LEVELS = {"error": "ERROR", "warning": "warning", "skipped": "not checked", "ok": "ok"}

Rows = list[list[Cell]]
Tiles = Iterator[tuple[Image, str]]
Masks = Mapping[str, NDArray[np.bool_]]


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
    context = _context(audit, note, changes)
    numbers = json.dumps(audit_json(audit), indent=1, allow_nan=False)
    contents = {
        PAGE: render_page("audit/templates/audit.html.j2", title=f"Audit of {title}", **context),
        NUMBERS: numbers + "\n",
        FACES: faces_csv(audit),
    }
    for name, content in contents.items():
        atomic_write(root / name, content)
    return [root / name for name in contents]


def audit_json(audit: Audit) -> dict[str, Any]:
    """All findings and counts as plain numbers, lists and dicts."""
    paths = [str(image.file.path) for image in audit.images]
    pairs = audit.near_duplicates
    tests = audit.label_outliers.tests.items()
    shares = {one.name: zip(one.classes, one.shares(), strict=True) for one in audit.coverage}
    return {
        "faces": len(audit.faces),
        "schema": audit.schema.name,
        "model": audit.model or None,
        "findings": [asdict(finding) for finding in summarize(audit)],
        "stats": audit.stats.to_dict(),
        "equal_files": [[paths[i], paths[j]] for i, j in audit.equal_files],
        "near_duplicates": [
            {"first": paths[one.first], "second": paths[one.second], "distance": one.distance}
            for one in pairs
        ],
        "label_offset": {name: asdict(offset) for name, offset in audit.label_offsets.items()},
        "tests": {name: {"meaning": one.meaning, "limit": plain(one.limit)} for name, one in tests},
        "kinds": audit.label_outliers.counts,
        "coverage": {
            name: {kind: plain(float(share)) for kind, share in classes}
            for name, classes in shares.items()
        },
    }


def faces_csv(audit: Audit) -> str:
    """A row per face, by rank: what is wrong, which points, and the number of each test."""
    outliers, names = audit.label_outliers, audit.schema.names
    lines = [csv_line(["subset", "name", "kind", "points", "times the limit", *outliers.tests])]
    for i in audit.ranking:
        face = [csv_cell(audit.subset_of[i]), csv_cell(audit.faces[i].name), outliers.kinds[i]]
        moved, score = " ".join(names[k] for k in outliers.points[i]), f"{outliers.scores[i]:.3f}"
        values = [test.values[i] for test in outliers.tests.values()]
        numbers = [f"{value:.4f}" if np.isfinite(value) else "" for value in values]
        lines.append(csv_line([*face, moved, score, *numbers]))
    return "".join(lines)


def _context(audit: Audit, note: str, changes: Mapping[int, Change] | None) -> dict[str, object]:
    """Variables of the template."""
    count, counts = len(audit.faces), audit.label_outliers.counts
    tests = audit.label_outliers.tests.items()
    known = [measure for measure in audit.coverage if np.isfinite(measure.values).any()]
    masks = {name: audit.mask(name) for name in audit.subsets}
    faces = f"{count_noun(count, 'face')}, {count_noun(len(audit.subsets), 'subset')}"
    return {
        "intro": f"Can these labeled faces be trusted? {faces}.",
        "note": note,
        "skipped": f"Not checked: {audit.skip_reason or 'no image could be read'}.",
        "finding_rows": [[_LEVELS[one.level], one.check, one.text] for one in summarize(audit)],
        "max_hamming": MAX_HAMMING,
        "hash_figure": plot_hash_distances(_hash_distances(audit)),
        "duplicate_rows": _duplicate_rows(audit),
        "duplicate_tiles": list(_duplicate_tiles(audit)),
        "offset_figure": _offset_figure(audit) if audit.label_offsets else None,
        "offset_columns": [f"{name}, %" for name in audit.label_offsets],
        "offset_rows": _offset_rows(audit),
        "test_rows": [
            [name, one.meaning, one.limit, int((one.ratios >= 1).sum())] for name, one in tests
        ],
        "kind_rows": [[name, faces, faces * 100 / count] for name, faces in counts.items()],
        "suspicious": sum(counts.values()),
        "outlier_tiles": list(_outlier_tiles(audit)),
        "faces_csv": FACES,
        "region_rows": _region_rows(audit),
        "coverage_figure": plot_coverage(known, masks) if known else None,
        "subset_columns": [f"{name}, %" for name in audit.subsets],
        "coverage_tables": [_coverage_table(measure, masks) for measure in audit.coverage],
        "change_rows": _change_rows(changes or {}),
        "all_change_rows": None
        if changes is None
        else [[audit.face_name(i), one.action, one.reason] for i, one in changes.items()],
    }


def _hash_distances(audit: Audit) -> dict[str, NDArray[np.int64]]:
    """Hamming distances of images to themselves encoded anew, and to their nearest neighbors."""
    groups = {face.image: face.group or face.name for face in audit.faces}
    files = [image.file for image in audit.images]
    names = [groups.get(file.path, str(file.path)) for file in files]
    hashes = [file.phash for file in files]
    sample = files[:: max(1, len(files) // REENCODED_SAMPLE)]
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


def _duplicate_tiles(audit: Audit, count: int = 12) -> Tiles:
    """Near duplicates side by side: those across subsets first, then the least alike first."""
    subsets = [image.subset for image in audit.images]
    equal = set(audit.equal_files)
    audited = [pair for pair in audit.near_duplicates if subsets[pair.first] in audit.subsets]
    audited.sort(key=lambda pair: (subsets[pair.first] == subsets[pair.second], -pair.distance))
    for pair in audited[:count]:
        first, second = audit.images[pair.first], audit.images[pair.second]
        images = [read_image(one.file.path, orient=False) for one in (first, second)]
        same = (pair.first, pair.second) in equal
        distance = "equal files" if same else f"{pair.distance} bits differ"
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


def _outlier_tiles(audit: Audit, count: int = 50) -> Tiles:
    """The outliers, the worst first."""
    outliers, predicted = audit.label_outliers, audit.scan.predicted
    suspicious = [i for i in audit.ranking if outliers.flagged[i]]
    for rank, i in enumerate(suspicious[:count], start=1):
        moved, kind = outliers.points[i], outliers.kinds[i]
        try:
            image = read_image(audit.faces[i].image, orient=False)
        except ImageError:
            continue
        if moved and not audit.permutations[i]:
            names = [audit.schema.names[k] for k in moved[:3]] + ["…"] * (len(moved) > 3)
            kind += f" ({', '.join(names)})"
        tile = draw_face_tile(image, audit.labels[i], predicted[i], moved, audit.schema)
        score = f"{outliers.scores[i]:.2f} times the limit"
        yield tile, f"{rank}. {audit.face_name(i)}\n{kind}; {score}"


def _region_rows(audit: Audit) -> Rows:
    """NME between label and prediction by region, and by subset, whose offset is subtracted."""
    columns: list[dict[str, Matrix]] = []
    for name, offset in audit.label_offsets.items():
        mask = audit.predicted_mask(name)
        truth, predicted = audit.ordered[mask] - offset.pixels, audit.scan.predicted[mask]
        regions = nme_by_region(predicted, truth, audit.schema)
        columns.append({"all points": nme(predicted, truth, audit.schema), **regions})
    return [
        [name.replace("_", " "), *(finite_mean(column[name]) for column in columns)]
        for name in (columns[0] if columns else ())
    ]


def _coverage_table(measure: Measure, masks: Masks) -> tuple[str, Rows, set[tuple[int, int]]]:
    """Name of the measure, a row of percentages per class, and the cells of rare classes."""
    shares = np.stack([measure.shares(mask) for mask in masks.values()], axis=1)
    names = measure.classes
    rows: Rows = [[name, *row] for name, row in zip(names, (100 * shares).tolist(), strict=True)]
    rare = {names.index(name) for name in measure.rare}
    return measure.name, rows, {(k, column) for k in rare for column in range(1, len(masks) + 1)}


def _change_rows(changes: Mapping[int, Change]) -> Rows:
    """Counts by action and reason."""
    reasons = [(one.action, one.reason.partition(" as ")[0]) for one in changes.values()]
    return [[action, reason, count] for (action, reason), count in Counter(reasons).most_common()]
