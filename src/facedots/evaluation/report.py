"""The report of an evaluation: numbers for machines, tables and images for people."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from facedots.evaluation.example_faces import chosen_faces
from facedots.evaluation.metrics import Doubles, norm_distances, point_errors
from facedots.evaluation.protocol import Evaluation
from facedots.evaluation.report_page import report_page
from facedots.evaluation.result import BOXES, RESULT_FILE, Result, caveats, write_result
from facedots.evaluation.uncertainty_metrics import reliability
from facedots.evaluation.uncertainty_scores import UncertaintyMetrics
from facedots.io.files import atomic_write
from facedots.plots.curves import calibration_figure, ced_figure, regions_figure, save_figure
from facedots.plots.faces import comparison_figure

_LISTED = 50


def write_report(result: Result, out: str | Path) -> dict[str, Path]:
    """Write ``report.html``, ``report.json``, ``report.md``, the images and ``evaluation.npz`` into
    a folder.

    ``report.html`` holds everything and needs no other file; ``evaluation.npz`` is for ``facedots
    compare``. The images are ``ced.png``, ``regions.png``, ``faces.png``, and ``calibration.png``
    where the network gives a sigma. Where every face was missed there is only the first.

    Args:
        result: The faces and their scores, and what was measured.
        out: The folder; it is made, and files of the same names in it are replaced.

    Returns:
        Name of the file -> its path.

    Raises:
        OutputError: The folder cannot be written.
    """
    folder = Path(out)
    figures = _figures(result)
    for name, figure in figures.items():
        save_figure(figure, folder / name)
    content = report_dict(result)
    atomic_write(folder / "report.json", json.dumps(content, indent=2, allow_nan=False) + "\n")
    atomic_write(folder / "report.md", report_markdown(result, list(figures)))
    report_page([result]).write(folder / "report.html")
    write_result(folder / RESULT_FILE, result)
    return {
        name: folder / name
        for name in ("report.html", "report.json", "report.md", *figures, RESULT_FILE)
    }


def _figures(result: Result) -> dict[str, Figure]:
    evaluation, scores = result.evaluation, result.evaluation.scores
    curves = {result.name: evaluation.nme}
    if result.floor is not None:
        curves["mean shape"] = result.floor
    figures = {"ced.png": ced_figure(curves)}
    if scores.missed < scores.n:
        figures["regions.png"] = regions_figure(scores.nme_by_region, scores.nme)
        figures["faces.png"] = comparison_figure(
            chosen_faces(evaluation), f"{result.name}, test faces of split {result.setting.split}"
        )
    if np.isfinite(evaluation.sigma).any():
        figures["calibration.png"] = _calibration(evaluation)
    return figures


def report_dict(result: Result) -> dict[str, Any]:
    """The content of ``report.json``: the setting, the scores (percent), and which faces were
    missed or skipped and why.
    """
    setting, evaluation = result.setting, result.evaluation
    return {
        "model": setting.model,
        "weights_sha256": setting.weights_sha256,
        "data": setting.data,
        "sources": list(setting.sources),
        "split": setting.split,
        "trained_split": setting.trained_split,
        "boxes": setting.boxes,
        "norm_pair": [evaluation.schema.names[point] for point in evaluation.schema.norm_pair],
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        **evaluation.scores.to_dict(),
        "nme_mean_shape": None if result.floor is None else _known_mean(result.floor),
        "uncertainty": UncertaintyMetrics(evaluation).to_dict(),
        "missed_names": list(evaluation.missed),
        "skipped": [{"name": name, "reason": reason} for name, reason in evaluation.skipped],
    }


def report_markdown(result: Result, images: list[str]) -> str:
    """The content of ``report.md``: what :func:`report_dict` holds, readable, and the images by
    name.
    """
    content = report_dict(result)
    measures = [
        ("NME, mean", content["nme"]),
        ("NME, median", content["nme_median"]),
        ("NME\\* (one constant shift taken off)", content["nme_shift_free"]),
        ("FR10 (share of faces with NME > 10 %)", content["fr10"]),
        ("AUC10 (area under the error curve up to 10 %)", content["auc10"]),
        ("NME of the mean shape in the same places", content["nme_mean_shape"]),
    ]
    parts = [
        f"# {content['model']} on {', '.join(content['sources']) or content['data']}, split {content['split']}",
        _facts(content, caveats(result.setting)),
        _table(("measure", "%"), [(name, _percent(value)) for name, value in measures]),
        "## By region",
        _table(
            ("region", "NME, %"),
            [
                (name.replace("_", " "), _percent(nme))
                for name, nme in content["nme_by_region"].items()
            ],
        ),
        *_uncertainty(content["uncertainty"]),
        *(f"![{Path(name).stem}]({name})" for name in images),
        _listing("Missed faces", content["missed_names"]),
        _listing(
            "Skipped faces", [f"{face['name']}: {face['reason']}" for face in content["skipped"]]
        ),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _uncertainty(scores: dict[str, Any] | None) -> list[str]:
    if scores is None:
        return []
    rows = [
        ("points inside their 50 % region, %", scores["coverage_50"]),
        ("points inside their 90 % region, %", scores["coverage_90"]),
        ("negative log-likelihood, nats a point", scores["nll"]),
        ("AUSE over points, % of random", scores["ause"]),
        ("AUSE over faces, % of random", scores["ause_faces"]),
        ("faces with NME > 8 % among the 10 % of largest sigma, %", scores["bad_faces_removed"]),
        ("confidence off by, percentage points", scores["confidence_gap"]),
    ]
    return [
        "## Uncertainty",
        _table(("measure", "value"), [(name, _percent(value)) for name, value in rows]),
    ]


def _known_mean(errors: Doubles) -> float | None:
    known = errors[np.isfinite(errors)]
    return round(float(known.mean()), 4) if len(known) else None


def _facts(content: dict[str, Any], warnings: list[str]) -> str:
    found = content["n"] - content["missed"]
    lines = [
        f"{content['n']} faces measured, {content['missed']} of them missed, {len(content['skipped'])} more skipped.",
        f"Boxes from: {BOXES.get(content['boxes'], content['boxes'] + ', end to end')}.",
        f"Data: `{content['data']}`; weights: sha256 `{content['weights_sha256']}`; {content['date']}.",
        f"NME: mean error of a face's points over the distance of its true points {' and '.join(content['norm_pair'])}.",
        f"Means are over the {found} faces that were not missed; in the median, FR10 and AUC10 a missed face is a failure.",
    ]
    return "\n".join(f"- {line}" for line in [*lines, *warnings])


def _table(header: tuple[str, str], rows: list[tuple[str, str]]) -> str:
    return "\n".join(f"| {name} | {value} |" for name, value in [header, ("---", "---:"), *rows])


def _listing(title: str, lines: list[str]) -> str:
    """A section with at most :data:`_LISTED` lines; nothing where there is nothing to list. The
    JSON has all.
    """
    if not lines:
        return ""
    more = [f"- … and {len(lines) - _LISTED} more in report.json"] if len(lines) > _LISTED else []
    return "\n".join([f"## {title}", "", *(f"- {line}" for line in lines[:_LISTED]), *more])


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def _calibration(evaluation: Evaluation) -> Figure:
    """In percent of the eye distance: in pixels, large faces would make any sigma look informed."""
    scale = 100 / norm_distances(evaluation.true, evaluation.schema)[:, None]
    errors = point_errors(evaluation.predicted, evaluation.true)
    bins = reliability((evaluation.sigma * scale).ravel(), (errors * scale).ravel())
    return calibration_figure(bins.sigma, bins.rms, bins.typical)
