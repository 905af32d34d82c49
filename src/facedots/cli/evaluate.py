"""``facedots evaluate``: how good a network is on faces it has not seen. Needs ``facedots[train]``."""

import hashlib
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table

if TYPE_CHECKING:
    from facedots.detect.base import Detector


_MEASURES = {
    "NME, mean": "nme",
    "NME, median": "nme_median",
    "NME*, shift-free": "nme_shift_free",
    "FR10": "fr10",
    "AUC10": "auc10",
    "NME of the mean shape": "nme_mean_shape",
}


class DetectorName(StrEnum):
    """Who finds the box; ``none`` takes the tight box of the true points."""

    NONE = "none"
    RETINAFACE = "retinaface"
    HAAR = "haar"


def evaluate(
    weights: Annotated[str, typer.Argument(help="A name from `facedots models`, an .onnx file, or the folder of a run.")],
    *,
    data: Annotated[str, typer.Option(help="Folder with the data, or synthetic:N for N drawn faces.")],
    out: Annotated[Path, typer.Option(help="Folder for report.json, report.md and pictures.")],
    split: Annotated[str, typer.Option(help="official, or disjoint:0 to disjoint:4 (by person).")] = "official",
    source: Annotated[list[str] | None, typer.Option(help="youtube-faces (default) or 300w; may be given twice.")] = None,
    detector: Annotated[
        DetectorName, typer.Option(help="Find the box end to end instead of taking the true one.")
    ] = DetectorName.NONE,
) -> None:
    """Measure a network on the test faces of a split, print the scores and write a report with pictures."""
    from facedots.cli.weights_file import weights_file
    from facedots.data.splits import load_split
    from facedots.evaluate import metrics, protocol, report
    from facedots.evaluate.baseline import mean_shape, place_shape
    from facedots.infer.keypointer import Keypointer

    file = weights_file(weights)
    keypointer = Keypointer(file)
    sources = () if data.startswith("synthetic:") else tuple(source or ["youtube-faces"])
    faces = load_split(data, sources, split)
    progress = Console(stderr=True, highlight=False)
    shown = track(faces.test, "measuring", console=progress, transient=True)
    boxes = _detector(detector)
    result = protocol.evaluate(keypointer, shown, boxes or "truth")
    mean_face = place_shape(mean_shape(faces.train, keypointer.spec.framing), result.squares)
    setting = report.Setting(
        model=keypointer.spec.name,
        weights_sha256=hashlib.sha256(file.read_bytes()).hexdigest(),
        data=data,
        sources=sources,
        split=split if sources else "synthetic",
        trained_split=keypointer.card.split,
        boxes=str(detector) if boxes else "none" if keypointer.spec.framing.kind == "frame" else "truth",
    )
    floor = metrics.nme(mean_face, result.true, result.schema)
    paths = report.write_report(result, setting, out, floor)
    console = Console(highlight=False)
    content = report.report_dict(result, setting, floor)
    console.print(_table(content))
    for sentence in report.caveats(content):
        progress.print(f"[yellow]{sentence}[/]", soft_wrap=True)
    for path in paths.values():
        console.print(str(path), soft_wrap=True)


def _detector(name: DetectorName) -> "Detector | None":
    if name is DetectorName.NONE:
        return None
    if name is DetectorName.HAAR:
        from facedots.detect.haar import Haar

        return Haar()
    from facedots.detect.retinaface import RetinaFace

    return RetinaFace()


def _table(content: dict[str, Any]) -> Table:
    data = ", ".join(content["sources"]) or content["data"]
    table = Table("measure", title=f"{content['model']} on {data}, {content['split']}, boxes: {content['boxes']}")
    table.add_column(justify="right")
    table.add_row("faces", str(content["n"]))
    table.add_row("missed", str(content["missed"]))
    table.add_row("skipped", str(len(content["skipped"])), end_section=True)
    for title, key in _MEASURES.items():
        table.add_row(title, _percent(content[key]), end_section=key == "nme_mean_shape")
    for region, value in content["nme_by_region"].items():
        table.add_row(f"NME, {region.replace('_', ' ')}", _percent(value))
    return table


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f} %"
