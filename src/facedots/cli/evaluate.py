"""``facedots evaluate``: how good a network is on faces it has not seen. Needs ``facedots[train]``."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from facedots.cli.measure import DetectorChoice, DetectorName, Exam, SourceNames, SplitName, measure

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
    weights: Annotated[str, typer.Argument(help="A name from `facedots models`, an .onnx file, or the folder of a run.")],
    *,
    data: Annotated[str, typer.Option(help="Folder with the data, or synthetic:N for N drawn faces.")],
    out: Annotated[Path, typer.Option(help="Folder for report.html, report.json, report.md and pictures.")],
    split: SplitName = "official",
    source: SourceNames = None,
    detector: DetectorChoice = DetectorName.NONE,
) -> None:
    """Measure a network on the test faces of a split, print the scores and write a report with pictures.

    Set several reports side by side with `facedots compare`.
    """
    from facedots.evaluate.report import report_dict, write_report
    from facedots.evaluate.result import caveats

    result = measure(weights, Exam.of(data, split, source, detector))
    paths = write_report(result, out)
    console = Console(highlight=False)
    console.print(_table(report_dict(result)))
    for sentence in caveats(result.setting):
        Console(stderr=True, highlight=False).print(f"[yellow]{sentence}[/]", soft_wrap=True)
    for path in paths.values():
        console.print(str(path), soft_wrap=True)


def _table(content: dict[str, Any]) -> Table:
    data = ", ".join(content["sources"]) or content["data"]
    table = Table("measure", title=f"{content['model']} on {data}, {content['split']}, boxes: {content['boxes']}")
    table.add_column(justify="right")
    table.add_row("faces", str(content["n"]))
    table.add_row("missed", str(content["missed"]))
    table.add_row("skipped", str(len(content["skipped"])), end_section=True)
    for title, key in _MEASURES.items():
        table.add_row(title, _percent(content[key]), end_section=key == "nme_mean_shape")
    if content["uncertainty"]:
        for title, key in _UNCERTAINTY.items():
            table.add_row(title, _percent(content["uncertainty"][key]), end_section=key == "bad_faces_removed")
    for region, value in content["nme_by_region"].items():
        table.add_row(f"NME, {region.replace('_', ' ')}", _percent(value))
    return table


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f} %"
