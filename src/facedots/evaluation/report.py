"""Reports of one evaluation or of several side by side: numbers, figures, one HTML page."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from facedots.errors import DataError
from facedots.evaluation import sections
from facedots.evaluation.measures import (
    UncertaintyMetrics,
    accuracy_values,
    pupil_values,
    visibility_values,
)
from facedots.evaluation.metrics import norm_distances, plain
from facedots.evaluation.result import RESULT_FILE, Evaluation
from facedots.evaluation.uncertainty_metrics import reliability
from facedots.io.files import atomic_write, output_errors
from facedots.plots.curves import save_figure, training_figure
from facedots.plots.faces import comparison_figure
from facedots.plots.page import render_page
from facedots.plots.uncertainty import calibration_figure

_TEMPLATE = "evaluation/templates/report.html.j2"
_FIGURES = ("ced.png", "regions.png", "faces.png", "calibration.png")
_LABELS_AGREE = 0.01  # pixels


def write_report(evaluation: Evaluation, out: str | Path) -> dict[str, Path]:
    """Write ``report.html``, ``report.json``, figures and ``evaluation.npz`` into a folder.

    ``report.html`` needs no other file; ``evaluation.npz`` is for ``facedots compare``. The figures
    are ``ced.png``, ``regions.png`` and ``faces.png`` (not where every face was missed), and
    ``calibration.png`` where the network predicts a covariance.

    Returns:
        Name of the file -> its path. Files of these names are replaced, or removed.

    Raises:
        OutputError: The folder cannot be written.
    """
    folder = Path(out)
    figures = _figures(evaluation)
    numbers = json.dumps(report_dict(evaluation), indent=2, allow_nan=False) + "\n"
    texts = {"report.html": report_html([evaluation]), "report.json": numbers}
    evaluation.save(folder / RESULT_FILE)  # Of it all the rest can be made again.
    for name in (*_FIGURES, *texts):  # What stops here leaves no report of two evaluations.
        with output_errors(folder / name):
            (folder / name).unlink(missing_ok=True)
    for name, figure in figures.items():
        save_figure(figure, folder / name)
    for name, text in texts.items():
        atomic_write(folder / name, text)
    return {name: folder / name for name in (*texts, *figures, RESULT_FILE)}


def write_comparison(
    evaluations: Sequence[Evaluation], path: str | Path, *, force: bool = False
) -> None:
    """Write one HTML page of evaluations side by side; their names must differ.

    Raises:
        DataError: Faces or labels differ; with ``force`` that is a warning on the page.
        OutputError: The page cannot be written.
    """
    reasons = incompatibilities(evaluations)
    if reasons and not force:
        raise DataError("\n".join(reasons))
    atomic_write(path, report_html(evaluations))


def report_dict(evaluation: Evaluation) -> dict[str, Any]:
    """The content of ``report.json``: context, accuracy (percent), faces missed or skipped."""
    context, schema = evaluation.context, evaluation.schema
    values = accuracy_values(evaluation)
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
        **evaluation.accuracy.to_dict(),
        **{name: plain(values.get(name)) for name in ("nme_mean_shape", "nme_worst_tenth")},
        "uncertainty": UncertaintyMetrics(evaluation).to_dict(),
        "visibility": plain(visibility_values(evaluation)) or None,
        "pupils": plain(pupil_values(evaluation)) or None,
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
    schema, reasons = evaluations[0].schema, incompatibilities(evaluations)
    metrics = {e.name: UncertaintyMetrics(e) for e in evaluations}
    predicted = any(m.available for m in metrics.values())
    histories = {e.name: e.history for e in evaluations}
    others = {e.name: [o for o in evaluations if o is not e and not reasons] for e in evaluations}
    return render_page(
        _TEMPLATE,
        title=title,
        single=single,
        evaluations=evaluations,
        incompatibilities=reasons,
        notes=[
            *comparison_warnings(evaluations),
            *dict.fromkeys(text for e in evaluations for text in e.caveats()),
        ],
        context_rows=[sections.context_row(evaluation) for evaluation in evaluations],
        written=f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        scores=sections.accuracy_table(evaluations),
        ced=sections.error_curves(evaluations),
        regions=sections.regions(evaluations),
        slices=sections.by_slice(evaluations),
        uncertainty=sections.uncertainty(metrics) if predicted else None,
        hidden_and_pupils=sections.hidden_and_pupils(evaluations),
        groups=", ".join(dict.fromkeys(e.context.groups_text for e in evaluations)),
        people=sections.people(evaluations),
        faces=[(e.name, *sections.example_tiles(e, others[e.name])) for e in evaluations],
        training=training_figure(histories) if any(histories.values()) else None,
        skipped=[f"{e.name}: {name}: {reason}" for e in evaluations for name, reason in e.skipped],
        norm_pair=[schema.names[point] for point in schema.norm_pair],
    )


def _figures(evaluation: Evaluation) -> dict[str, Figure]:
    figures = {"ced.png": sections.error_curves([evaluation])}
    if evaluation.accuracy.missed < evaluation.accuracy.n:
        title = f"{evaluation.name}, test faces of split {evaluation.context.split}"
        figures["regions.png"] = sections.regions([evaluation])[0] or Figure()
        figures["faces.png"] = comparison_figure(sections.example_rows(evaluation), title)
    metrics = UncertaintyMetrics(evaluation)
    if metrics.available:
        # In pixels, any sigma would look informed: large faces have large errors.
        scale = 100 / norm_distances(evaluation.true, evaluation.schema)[:, None]
        bins = reliability((evaluation.sigma * scale).ravel(), metrics.errors.ravel())
        figures["calibration.png"] = calibration_figure(*bins)
    return figures


def incompatibilities(evaluations: Sequence[Evaluation]) -> list[str]:
    """Why scores cannot be compared, a sentence each: other points, faces or labels."""
    first = evaluations[0]
    sentences = []
    for other in evaluations[1:]:
        pair = f"{first.name} and {other.name}"
        if first.schema != other.schema:
            schemas = f"({first.schema.name} and {other.schema.name})"
            sentences.append(f"{pair} predict different points {schemas}.")
        elif first.names != other.names:
            one, two = (
                f"{e.context.faces_text}, split {e.context.split} with {len(e.names)} faces"
                for e in (first, other)
            )
            shared = len(set(first.names) & set(other.names))
            sentences.append(
                f"{pair} were measured on different faces: {one}, and {two}; {shared} are in both."
            )
        elif not np.allclose(first.true, other.true, rtol=0, atol=_LABELS_AGREE, equal_nan=True):
            sentences.append(f"{pair} were measured on the same faces, but with different labels.")
    return sentences


def comparison_warnings(evaluations: Sequence[Evaluation]) -> list[str]:
    """Differences between evaluations that can be compared nevertheless, a sentence each."""
    sentences = []
    if len({e.context.boxes for e in evaluations}) > 1:
        boxes = "; ".join(f"{e.name}: {e.context.boxes_text}" for e in evaluations)
        sentences.append(
            f"The boxes came from different places, which alone changes the error ({boxes})."
        )
    if len({e.context.trained_split for e in evaluations}) > 1:
        splits = "; ".join(f"{e.name}: {e.context.trained_split or 'unknown'}" for e in evaluations)
        sentences.append(
            "The networks were trained on different splits, so on different faces of the data "
            f"({splits})."
        )
    names: dict[tuple[str, str], str] = {}
    for e in evaluations:
        first = names.setdefault((e.context.weights_sha256, e.context.boxes), e.name)
        if first != e.name:
            sentences.append(f"{first} and {e.name} are the same weights.")
    return sentences


def distinct_names(evaluations: Sequence[Evaluation], origins: Sequence[str]) -> list[str]:
    """The name of each evaluation; of equal ones, followed by the folder or file it is from."""
    names = [evaluation.name for evaluation in evaluations]
    numbers = [str(i + 1) for i in range(len(names))]
    for suffixes in ([Path(origin).name for origin in origins], origins, numbers):
        distinct = [
            f"{name} ({suffix})" if names.count(name) > 1 else name
            for name, suffix in zip(names, suffixes, strict=True)
        ]
        if len(set(distinct)) == len(distinct):
            break
    return distinct
