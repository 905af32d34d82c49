"""``facedots compare``: several networks or reports side by side on one page. Needs ``facedots[train]``."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from facedots.cli.measure import DetectorChoice, DetectorName, Exam, SourceNames, SplitName, measure
from facedots.errors import DataError

if TYPE_CHECKING:
    from facedots.evaluate.result import Result


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
    data: Annotated[str | None, typer.Option(help="For networks: folder with the data, or synthetic:N.")] = None,
    split: SplitName = "official",
    source: SourceNames = None,
    detector: DetectorChoice = DetectorName.NONE,
    anyway: Annotated[
        bool, typer.Option("--anyway", help="Also where faces or labels differ, with a warning on the page.")
    ] = False,
) -> None:
    """Set networks side by side on one HTML page: scores, curves, error by slice, uncertainty, worst faces, training.

    Reports are taken as they are; networks are measured first, on the faces that --data and --split name. Numbers of
    different faces or labels are not set side by side unless --anyway says so.
    """
    from facedots.evaluate.comparing import cautions, obstacles, with_own_names
    from facedots.evaluate.html_report import report_page

    exam = None if data is None else Exam.of(data, split, source, detector)
    results = [_result(*_split_name(each), exam) for each in what]
    names = with_own_names(results, [_split_name(each)[1] for each in what])
    results = [replace(result, name=name) for result, name in zip(results, names, strict=True)]
    reasons = obstacles(results)
    if reasons and not anyway:
        raise DataError("\n".join([*reasons, "Measure all on the same faces, or give --anyway to see them side by side."]))
    console = Console(stderr=True, highlight=False)
    for sentence in [*reasons, *cautions(results)]:
        console.print(f"[yellow]{sentence}[/]", soft_wrap=True)
    report_page(results).write(out)
    Console(highlight=False).print(str(out), soft_wrap=True)


def _split_name(what: str) -> tuple[str, str]:
    """The name and the rest of ``NAME=FOLDER``; no name where there is none, or where that is itself a path."""
    name, equals, path = what.partition("=")
    return (name, path) if equals and not Path(what).exists() else ("", what)


def _result(name: str, what: str, exam: Exam | None) -> "Result":
    from facedots.evaluate.result import RESULT_FILE, read_result

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
