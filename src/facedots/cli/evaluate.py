"""``facedots evaluate`` and ``facedots compare``: the scores of networks on test faces."""

from dataclasses import dataclass, replace
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from facedots.cli.options import LabelOptions, expand_options
from facedots.cli.output import echo
from facedots.errors import DataError, OutputError
from facedots.io.text import printable
from facedots.pipeline_options import DeviceOption, PipelineOptions

if TYPE_CHECKING:
    from facedots.detection.base import Detector
    from facedots.evaluation.result import Evaluation


@dataclass(frozen=True, kw_only=True)
class EvalOptions:
    """The test faces, and where their boxes come from."""

    split: Annotated[
        str | None,
        "official, or disjoint:0 to disjoint:4 (by person). By default official; but all faces of "
        "your own data without test faces, where the networks come with facedots.",
    ] = None
    source: Annotated[
        list[str] | None, "youtube-faces, 300w or custom; by default, what the folder holds."
    ] = None
    detector: Annotated[
        Literal["ground-truth", "retinaface", "finder", "haar", "single-object"],
        "Boxes of the labels, or of a detector (end to end).",
    ] = "ground-truth"
    device: DeviceOption = "cpu"

    def run(self, weights: str, data: str, labels: LabelOptions) -> "Evaluation":
        """Measure a network, with a progress bar on stderr."""
        from facedots.evaluation.protocol import evaluate_split

        return evaluate_split(
            *(weights, data, self.split, self.source or (), self._load_detector(weights)),
            options=labels.load(),
            providers=self.device,
            progress=True,
        )

    def _load_detector(self, weights: str) -> "Detector | None":
        """The detector; ``None`` for the tight box of the true points."""
        if self.detector == "ground-truth":
            return None
        from facedots.inference.weights import weights_file

        file = str(weights_file(weights))
        return PipelineOptions(
            model=file, detector=self.detector, device=self.device
        ).load_detector()


@expand_options
def evaluate(
    weights: Annotated[
        str, typer.Argument(help="A name from `facedots models`, an .onnx file, or a run's folder.")
    ],
    *,
    data: Annotated[str, "Folder or file with the data, or synthetic:N for N drawn faces."],
    out: Annotated[Path, "Folder for report.html, report.json, figures, over those there."],
    options: EvalOptions,
    labels: LabelOptions,
) -> None:
    """Measure a network on the test faces of a split. Print the scores, write a report.

    Set several reports side by side with `facedots compare`.
    """
    _check_exists(data)
    there = next(path for path in (out, *out.absolute().parents) if path.exists())
    if not there.is_dir():
        raise OutputError(f"{there}: a file; give --out a folder")
    from facedots.evaluation.report import write_report

    evaluation = options.run(weights, data, labels)
    try:  # Whichever of the two fails, the other one keeps what was measured.
        Console(highlight=False, emoji=False).print(_table(evaluation))
        _warn(evaluation.caveats())
    finally:
        paths = write_report(evaluation, out)
    for path in paths.values():
        echo(path)


def _table(evaluation: "Evaluation") -> Table:
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

    context, accuracy = evaluation.context, evaluation.accuracy
    title = f"{evaluation.name} on {context.faces_text}, {context.split}, boxes: {context.boxes}"
    table = Table("measure", title=Text(printable(title)))
    table.add_column(justify="right")
    table.add_row("faces", str(accuracy.n))
    table.add_row("missed", str(accuracy.missed))
    table.add_row("skipped", str(len(evaluation.skipped)))
    uncertainty = UncertaintyMetrics(evaluation)
    groups: list[tuple[tuple[Measure, ...], dict[str, float]]] = [
        (ACCURACY, accuracy_values(evaluation)),
        (UNCERTAINTY + FACE_UNCERTAINTY, uncertainty.values() if uncertainty.available else {}),
        (VISIBILITY, visibility_values(evaluation)),
        (PUPILS, pupil_values(evaluation)),
    ]
    for measures, values in groups:
        table.add_section()
        for measure in [measure for measure in measures if measure.name in values]:
            value = values[measure.name]
            text = f"{value:.2f} {measure.unit}" if isfinite(value) else "–"
            table.add_row(measure.title, text)
    table.add_section()
    for region, nme in accuracy.nme_by_region.items():
        table.add_row(escape(f"NME, {region.replace('_', ' ')}"), f"{nme:.2f} %")
    return table


@expand_options
def compare(
    what: Annotated[
        list[str],
        typer.Argument(
            metavar="REPORT_OR_WEIGHTS...",
            help="Folders that `facedots evaluate` wrote; or networks to measure now: names from "
            "`facedots models`, .onnx files, folders of runs. NAME=FOLDER names one on the page.",
        ),
    ],
    *,
    out: Annotated[Path, "The page to write, over what is there."] = Path("compare.html"),
    data: Annotated[str | None, "For networks: folder with the data, or synthetic:N."] = None,
    options: EvalOptions,
    labels: LabelOptions,
    force: Annotated[bool, "Also where faces or labels differ, with a warning."] = False,
) -> None:
    """Set networks side by side on one HTML page.

    It shows scores, curves, error by slice, uncertainty, example faces, training.

    Reports are used as they are; networks are measured first, on the faces of --data and --split.
    """
    _check_exists(data)
    from facedots.evaluation.report import (
        comparison_warnings,
        distinct_names,
        incompatibilities,
        write_comparison,
    )
    from facedots.inference.weights import WEIGHTS

    named = [_split_name(each) for each in what]
    if not all(path in WEIGHTS or _is_report(path) for _, path in named):
        options = replace(options, split=options.split or "official")  # The same faces for all.
    evaluations = [_load_or_run(*each, data, options, labels) for each in named]
    names = distinct_names(evaluations, [path for _, path in named])
    evaluations = [replace(e, name=name) for e, name in zip(evaluations, names, strict=True)]
    try:
        write_comparison(evaluations, out, force=force)
    except DataError as error:
        fix = "Measure all on the same faces, or set them side by side with --force."
        raise DataError(f"{error}\n{fix}") from error
    _warn([*incompatibilities(evaluations), *comparison_warnings(evaluations)])
    echo(out)


def _check_exists(data: str | None) -> None:
    """A wrong path is told at once, before a missing extra."""
    from facedots.annotations.packs import is_pack

    if data and not (data.startswith("synthetic:") or is_pack(data) or Path(data).exists()):
        raise DataError(f"{data}: no such file or folder")


def _warn(sentences: list[str]) -> None:
    console = Console(stderr=True, highlight=False, emoji=False)
    for sentence in sentences:
        console.print(sentence, style="yellow", markup=False, soft_wrap=True)


def _split_name(what: str) -> tuple[str, str]:
    """Name and path of ``NAME=PATH``; no name in a plain path, or in one with an equals sign."""
    name, equals, path = what.partition("=")
    return (name, path) if equals and not Path(what).exists() else ("", what)


def _is_report(what: str) -> bool:
    from facedots.evaluation.result import RESULT_FILE

    return (Path(what) / RESULT_FILE).is_file()


def _load_or_run(
    name: str, what: str, data: str | None, options: EvalOptions, labels: LabelOptions
) -> "Evaluation":
    from facedots.evaluation.result import RESULT_FILE, Evaluation

    if _is_report(what):
        evaluation = Evaluation.load(what)
    elif data is not None:
        evaluation = options.run(what, data, labels)
    else:
        reason = f"no report of `facedots evaluate` (it has no {RESULT_FILE})"
        raise DataError(f"{what}: {reason}; to measure a network now, give --data DIR")
    return replace(evaluation, name=name or evaluation.name)
