"""The report of an evaluation: numbers for machines, tables and pictures for people."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from facedots.evaluate.calibration import reliability
from facedots.evaluate.metrics import Doubles, norm_distances, point_errors
from facedots.evaluate.protocol import Evaluation
from facedots.io.files import write_whole
from facedots.io.images import read_image
from facedots.view.curves import calibration_figure, ced_figure, regions_figure, save_figure
from facedots.view.grid import Comparison, comparison_figure

FACES_PER_ROW = 6
_LISTED = 50


@dataclass(frozen=True)
class Setting:
    """What was measured, on what, how: without it a score means nothing.

    Attributes:
        model: The name of the network or its file.
        weights_sha256: Of the weight file, in hexadecimal.
        data: The folder, or ``synthetic:N``.
        sources: The data sets in it that were used.
        split: As in ``"official"``.
        trained_split: The split whose training part the network has seen; ``""`` if unknown.
        boxes: Where the boxes came from: ``"truth"``, ``"none"`` for a network that sees the whole frame, or the detector's name.
    """

    model: str
    weights_sha256: str
    data: str
    sources: tuple[str, ...]
    split: str
    trained_split: str
    boxes: str


def write_report(
    evaluation: Evaluation, setting: Setting, out: str | Path, mean_shape_nme: Doubles | None = None
) -> dict[str, Path]:
    """Write ``report.json``, ``report.md`` and the pictures into a folder.

    The pictures are ``ced.png``, ``regions.png``, ``faces.png``, and ``calibration.png`` where the network gives a sigma. Where
    every face was missed there is only the first.

    Args:
        evaluation: The faces and their scores.
        setting: What was measured.
        out: The folder; it is made, and files of the same names in it are replaced.
        mean_shape_nme: NME ``(N,)`` of the same faces with the mean shape in the same places, to stand beside the scores.

    Returns:
        Name of the file -> its path.

    Raises:
        OutputError: The folder cannot be written.
    """
    folder = Path(out)
    scores = evaluation.scores
    curves = {setting.model: evaluation.nme}
    if mean_shape_nme is not None:
        curves["mean shape"] = mean_shape_nme
    figures = {"ced.png": ced_figure(curves)}
    if scores.missed < scores.n:
        figures["regions.png"] = regions_figure(scores.nme_by_region, scores.nme)
        figures["faces.png"] = comparison_figure(
            chosen_faces(evaluation), f"{setting.model}, test faces of split {setting.split}"
        )
    if np.isfinite(evaluation.sigma).any():
        figures["calibration.png"] = _calibration(evaluation)
    for name, figure in figures.items():
        save_figure(figure, folder / name)
    content = report_dict(evaluation, setting, mean_shape_nme)
    write_whole(folder / "report.json", json.dumps(content, indent=2, allow_nan=False) + "\n")
    write_whole(folder / "report.md", report_markdown(content, list(figures)))
    return {name: folder / name for name in ("report.json", "report.md", *figures)}


def report_dict(evaluation: Evaluation, setting: Setting, mean_shape_nme: Doubles | None = None) -> dict[str, Any]:
    """The content of ``report.json``: the setting, the scores (percent), and which faces were missed or skipped and why."""
    floor = None if mean_shape_nme is None else _known_mean(mean_shape_nme)
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
        "nme_mean_shape": floor,
        "missed_names": list(evaluation.missed),
        "skipped": [{"name": name, "reason": reason} for name, reason in evaluation.skipped],
    }


def caveats(content: dict[str, Any]) -> list[str]:
    """What a reader of the scores that :func:`report_dict` holds must know not to be misled, a sentence each."""
    split, trained = content["split"], content["trained_split"]
    people = "youtube-faces" in content["sources"]
    sentences = []
    if people and trained not in ("", "synthetic", split):
        sentences.append(
            f"The network was trained on split {trained}: it has seen faces of this test set, and its scores flatter it."
        )
    if people and split == "official":
        sentences.append(
            "The official split leaks: everyone in it is in the training set too. Read it beside a `disjoint` split."
        )
    if content["data"].startswith("synthetic:"):
        sentences.append("These are faces drawn by facedots; the scores say nothing about real ones.")
    return sentences


def report_markdown(content: dict[str, Any], pictures: list[str]) -> str:
    """The content of ``report.md``: what :func:`report_dict` holds, readable, and the pictures by name."""
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
        _facts(content),
        _table(("measure", "%"), [(name, _percent(value)) for name, value in measures]),
        "## By region",
        _table(("region", "NME, %"), [(name.replace("_", " "), _percent(nme)) for name, nme in content["nme_by_region"].items()]),
        *(f"![{Path(name).stem}]({name})" for name in pictures),
        _listing("Missed faces", content["missed_names"]),
        _listing("Skipped faces", [f"{face['name']}: {face['reason']}" for face in content["skipped"]]),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _known_mean(errors: Doubles) -> float | None:
    known = errors[np.isfinite(errors)]
    return round(float(known.mean()), 4) if len(known) else None


def _facts(content: dict[str, Any]) -> str:
    told = {"truth": "the tight box of the true points", "none": "nowhere; the network sees the whole frame"}
    boxes = told.get(content["boxes"], f"{content['boxes']}, end to end")
    found = content["n"] - content["missed"]
    lines = [
        f"{content['n']} faces measured, {content['missed']} of them missed, {len(content['skipped'])} more skipped.",
        f"Boxes from: {boxes}.",
        f"Data: `{content['data']}`; weights: sha256 `{content['weights_sha256']}`; {content['date']}.",
        f"NME: mean error of a face's points over the distance of its true points {' and '.join(content['norm_pair'])}.",
        f"Means are over the {found} faces that were not missed; in the median, FR10 and AUC10 a missed face is a failure.",
    ]
    return "\n".join(f"- {line}" for line in [*lines, *caveats(content)])


def _table(header: tuple[str, str], rows: list[tuple[str, str]]) -> str:
    return "\n".join(f"| {name} | {value} |" for name, value in [header, ("---", "---:"), *rows])


def _listing(title: str, lines: list[str]) -> str:
    """A section with at most :data:`_LISTED` lines; nothing where there is nothing to list. The JSON has all."""
    if not lines:
        return ""
    more = [f"- … and {len(lines) - _LISTED} more in report.json"] if len(lines) > _LISTED else []
    return "\n".join([f"## {title}", "", *(f"- {line}" for line in lines[:_LISTED]), *more])


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def chosen_faces(evaluation: Evaluation) -> dict[str, list[Comparison]]:
    """The faces with the lowest, the middle and the highest NME; missed ones have nothing to show."""
    order = np.argsort(evaluation.nme, kind="stable")
    order = order[np.isfinite(evaluation.nme[order])]
    count = min(FACES_PER_ROW, len(order))
    middle = (len(order) - count) // 2
    rows = {"best": order[:count], "typical": order[middle : middle + count], "worst": order[::-1][:count]}
    return {name: [_comparison(evaluation, int(face)) for face in chosen] for name, chosen in rows.items()}


def _comparison(evaluation: Evaluation, face: int) -> Comparison:
    return Comparison(
        image=read_image(evaluation.images[face], orient=False),
        true=evaluation.true[face],
        predicted=evaluation.predicted[face],
        title=f"{Path(evaluation.names[face]).name}\nNME {evaluation.nme[face]:.2f} %",
    )


def _calibration(evaluation: Evaluation) -> Figure:
    """In percent of the eye distance: in pixels, large faces would make any sigma look informed."""
    scale = 100 / norm_distances(evaluation.true, evaluation.schema)[:, None]
    errors = point_errors(evaluation.predicted, evaluation.true)
    bins = reliability((evaluation.sigma * scale).ravel(), (errors * scale).ravel())
    return calibration_figure(bins.sigma, bins.rms, bins.typical)
