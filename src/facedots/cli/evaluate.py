"""``facedots evaluate``: how good a network is on faces it has not seen. Needs ``facedots[train]``."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from facedots.cli.measure import (
    DetectorChoice,
    DetectorName,
    EvalConfig,
    SourceNames,
    SplitName,
    measure,
)
from facedots.errors import DataError

if TYPE_CHECKING:
    from facedots.evaluation.result import Result

_MEASURES = {
    "NME, mean": "nme",
    "NME, median": "nme_median",
    "NME*, shift-free": "nme_shift_free",
    "FR10": "fr10",
    "AUC10": "auc10",
    "NME of the mean shape": "nme_mean_shape",
}
_UNCERTAINTY = {
    "inside the 50 % region": "coverage_50",
    "inside the 90 % region": "coverage_90",
    "AUSE, of random": "ause",
    "bad faces among the 10 % of largest sigma": "bad_faces_removed",
}


def evaluate(
    weights: Annotated[
        str,
        typer.Argument(
            help="A name from `facedots models`, an .onnx file, or the folder of a run."
        ),
    ],
    *,
    data: Annotated[
        str, typer.Option(help="Folder with the data, or synthetic:N for N drawn faces.")
    ],
    out: Annotated[
        Path, typer.Option(help="Folder for report.html, report.json, report.md and images.")
    ],
    split: SplitName = "official",
    source: SourceNames = None,
    detector: DetectorChoice = DetectorName.NONE,
) -> None:
    """Measure a network on the test faces of a split, print the scores and write a report with
    images.

    Set several reports side by side with `facedots compare`.
    """
    from facedots.evaluation.report import report_dict, write_report
    from facedots.evaluation.result import caveats

    result = measure(weights, EvalConfig.of(data, split, source, detector))
    paths = write_report(result, out)
    console = Console(highlight=False)
    console.print(_table(report_dict(result)))
    for sentence in caveats(result.setting):
        Console(stderr=True, highlight=False).print(f"[yellow]{sentence}[/]", soft_wrap=True)
    for path in paths.values():
        console.print(str(path), soft_wrap=True)


def _table(content: dict[str, Any]) -> Table:
    data = ", ".join(content["sources"]) or content["data"]
    table = Table(
        "measure",
        title=f"{content['model']} on {data}, {content['split']}, boxes: {content['boxes']}",
    )
    table.add_column(justify="right")
    table.add_row("faces", str(content["n"]))
    table.add_row("missed", str(content["missed"]))
    table.add_row("skipped", str(len(content["skipped"])), end_section=True)
    for title, key in _MEASURES.items():
        table.add_row(title, _percent(content[key]), end_section=key == "nme_mean_shape")
    if content["uncertainty"]:
        for title, key in _UNCERTAINTY.items():
            table.add_row(
                title, _percent(content["uncertainty"][key]), end_section=key == "bad_faces_removed"
            )
    for region, value in content["nme_by_region"].items():
        table.add_row(f"NME, {region.replace('_', ' ')}", _percent(value))
    return table


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f} %"


def compare(
    what: Annotated[
        list[str],
        typer.Argument(
            metavar="REPORT_OR_WEIGHTS...",
            help="Folders that `facedots evaluate` wrote; or networks to measure now: names from `facedots models`, "
            ".onnx files, folders of runs. NAME=FOLDER calls it so on the page.",
        ),
    ],
    *,
    out: Annotated[Path, typer.Option(help="The page to write.")] = Path("compare.html"),
    data: Annotated[
        str | None, typer.Option(help="For networks: folder with the data, or synthetic:N.")
    ] = None,
    split: SplitName = "official",
    source: SourceNames = None,
    detector: DetectorChoice = DetectorName.NONE,
    force: Annotated[
        bool,
        typer.Option(
            "--anyway", help="Also where faces or labels differ, with a warning on the page."
        ),
    ] = False,
) -> None:
    """Set networks side by side on one HTML page: scores, curves, error by slice, uncertainty,
    worst faces, training.

    Reports are taken as they are; networks are measured first, on the faces that --data and --split
    name. Numbers of different faces or labels are not set side by side unless --anyway says so.
    """
    from facedots.evaluation.report_page import report_page
    from facedots.evaluation.result import comparison_warnings, incompatibilities, with_own_names

    exam = None if data is None else EvalConfig.of(data, split, source, detector)
    results = [_result(*_split_name(each), exam) for each in what]
    names = with_own_names(results, [_split_name(each)[1] for each in what])
    results = [replace(result, name=name) for result, name in zip(results, names, strict=True)]
    reasons = incompatibilities(results)
    if reasons and not force:
        raise DataError(
            "\n".join(
                [
                    *reasons,
                    "Measure all on the same faces, or give --anyway to see them side by side.",
                ]
            )
        )
    console = Console(stderr=True, highlight=False)
    for sentence in [*reasons, *comparison_warnings(results)]:
        console.print(f"[yellow]{sentence}[/]", soft_wrap=True)
    report_page(results).write(out)
    Console(highlight=False).print(str(out), soft_wrap=True)


def _split_name(what: str) -> tuple[str, str]:
    """The name and the rest of ``NAME=FOLDER``; no name where there is none, or where that is
    itself a path.
    """
    name, equals, path = what.partition("=")
    return (name, path) if equals and not Path(what).exists() else ("", what)


def _result(name: str, what: str, exam: EvalConfig | None) -> "Result":
    from facedots.evaluation.result import RESULT_FILE, read_result

    file = Path(what) / RESULT_FILE
    if file.is_file():
        result = read_result(file)
    elif exam is not None:
        result = measure(what, exam)
    else:
        raise DataError(
            f"{what}: no report of `facedots evaluate` (there is no {RESULT_FILE} in it); to measure a network now, give "
            "--data DIR"
        )
    return replace(result, name=name or result.name)
