"""Reports of one evaluation or of several side by side: numbers, figures, one HTML page."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from facedots.errors import DataError
from facedots.evaluation import sections
from facedots.evaluation.comparability import caveats, comparison_warnings, incompatibilities
from facedots.evaluation.example_faces import example_rows
from facedots.evaluation.measures import accuracy
from facedots.evaluation.metrics import norm_distances, plain
from facedots.evaluation.result import RESULT_FILE, Evaluation
from facedots.evaluation.uncertainty_metrics import reliability
from facedots.evaluation.uncertainty_scores import UncertaintyMetrics
from facedots.io.files import atomic_write
from facedots.plots.curves import save_figure, training_figure
from facedots.plots.faces import comparison_figure
from facedots.plots.page import render_page
from facedots.plots.uncertainty import calibration_figure

_TEMPLATE = "evaluation/templates/report.html.j2"


def write_report(evaluation: Evaluation, out: str | Path) -> dict[str, Path]:
    """Write ``report.html``, ``report.json``, figures and ``evaluation.npz`` into a folder.

    ``report.html`` needs no other file; ``evaluation.npz`` is for ``facedots compare``. The figures
    are ``ced.png``, ``regions.png`` and ``faces.png`` (not where every face was missed), and
    ``calibration.png`` where the network predicts a covariance.

    Args:
        evaluation: The faces, predictions and context.
        out: The folder; it is made, and files of the same names in it are replaced.

    Returns:
        Name of the file -> its path.

    Raises:
        OutputError: The folder cannot be written.
    """
    folder = Path(out)
    figures = _figures(evaluation)
    for name, figure in figures.items():
        save_figure(figure, folder / name)
    numbers = json.dumps(report_dict(evaluation), indent=2, allow_nan=False) + "\n"
    atomic_write(folder / "report.json", numbers)
    atomic_write(folder / "report.html", report_html([evaluation]))
    evaluation.save(folder / RESULT_FILE)
    names = ("report.html", "report.json", *figures, RESULT_FILE)
    return {name: folder / name for name in names}


def write_comparison(
    evaluations: Sequence[Evaluation], path: str | Path, *, force: bool = False
) -> None:
    """Write one HTML page of evaluations side by side; their names must differ.

    Args:
        evaluations: Of the same faces and labels.
        path: The page.
        force: Also where faces or labels differ, with a warning on the page.

    Raises:
        DataError: Faces or labels differ.
        OutputError: The page cannot be written.
    """
    reasons = incompatibilities(evaluations)
    if reasons and not force:
        raise DataError("\n".join(reasons))
    atomic_write(path, report_html(evaluations))


def report_dict(evaluation: Evaluation) -> dict[str, Any]:
    """The content of ``report.json``: context, scores (percent), and which faces were missed, or
    skipped and why.
    """
    context, schema = evaluation.context, evaluation.schema
    return {
        "model": evaluation.name,
        "weights_sha256": context.weights_sha256,
        "data": context.data,
        "sources": list(context.sources),
        "split": context.split,
        "trained_split": context.trained_split,
        "boxes": context.boxes,
        "norm_pair": [schema.names[point] for point in schema.norm_pair],
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        **evaluation.scores.to_dict(),
        "nme_mean_shape": plain(accuracy(evaluation)["nme_mean_shape"]),
        "nme_worst_tenth": plain(accuracy(evaluation)["nme_worst_tenth"]),
        "uncertainty": UncertaintyMetrics(evaluation).to_dict(),
        "missed_names": list(evaluation.missed),
        "skipped": [{"name": name, "reason": reason} for name, reason in evaluation.skipped],
    }


def report_html(evaluations: Sequence[Evaluation]) -> str:
    """The page of one evaluation, or of several with different names side by side."""
    names = [evaluation.name for evaluation in evaluations]
    single = len(names) == 1
    title = f"Report on {names[0]}"
    if not single:
        title = f"Comparison of {', '.join(names[:-1])} and {names[-1]}"
    schema = evaluations[0].schema
    metrics = {e.name: UncertaintyMetrics(e) for e in evaluations}
    histories = {e.name: e.history for e in evaluations}
    return render_page(
        _TEMPLATE,
        title=title,
        single=single,
        evaluations=evaluations,
        incompatibilities=incompatibilities(evaluations),
        notes=[
            *comparison_warnings(evaluations),
            *dict.fromkeys(text for e in evaluations for text in caveats(e.context)),
        ],
        context_rows=[sections.context_row(evaluation) for evaluation in evaluations],
        written=f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        scores=sections.scores_table(evaluations),
        ced=sections.error_curves(evaluations),
        regions=sections.regions(evaluations),
        slices=sections.by_slice(evaluations),
        uncertainty=sections.uncertainty(metrics)
        if any(m.available for m in metrics.values())
        else None,
        people=sections.people(evaluations),
        faces=[(e.name, *sections.faces(e, evaluations)) for e in evaluations],
        training=training_figure(histories) if any(histories.values()) else None,
        skipped=[f"{e.name}: {name}: {reason}" for e in evaluations for name, reason in e.skipped],
        norm_pair=[schema.names[point] for point in schema.norm_pair],
    )


def _figures(evaluation: Evaluation) -> dict[str, Figure]:
    figures = {"ced.png": sections.error_curves([evaluation])}
    if evaluation.scores.missed < evaluation.scores.n:
        title = f"{evaluation.name}, test faces of split {evaluation.context.split}"
        figures["regions.png"] = sections.regions([evaluation])[0] or Figure()
        figures["faces.png"] = comparison_figure(example_rows(evaluation), title)
    metrics = UncertaintyMetrics(evaluation)
    if metrics.available:
        # In pixels, any sigma would look informed: large faces have large errors.
        scale = 100 / norm_distances(evaluation.true, evaluation.schema)[:, None]
        bins = reliability((evaluation.sigma * scale).ravel(), metrics.errors.ravel())
        figures["calibration.png"] = calibration_figure(bins.sigma, bins.rms, bins.robust)
    return figures
