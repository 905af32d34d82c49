"""``facedots data``: look at annotated images, count what there is, fetch the public set. Needs
``facedots[train]``.
"""

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.table import Table

from facedots.cli.options import LabelOptions, expand_options

if TYPE_CHECKING:
    from collections.abc import Mapping

    from facedots.audit.stats import DataStats, PartStats, Spread

data_app = typer.Typer(
    no_args_is_help=True, help="Look at data sets, count what is in them, fetch the public one."
)

Source = Annotated[
    Path, typer.Argument(help="A CSV, a COCO .json, or a folder with these or with .pts files.")
]


@data_app.command()
@expand_options
def show(
    source: Source,
    *,
    out: Annotated[Path, typer.Option(help="Folder for the images.")] = Path("out/data"),
    count: Annotated[int, typer.Option(min=1, help="How many faces.")] = 8,
    seed: Annotated[int, typer.Option(help="Another number picks other faces.")] = 0,
    labels: LabelOptions,
) -> None:
    """Draw random faces with numbered keypoints, one image each and a contact sheet."""
    from facedots.annotations.load import load_annotations
    from facedots.plots.samples import write_samples

    for path in write_samples(load_annotations(source, labels.load()), out, count, seed):
        typer.echo(path)


@data_app.command()
@expand_options
def stats(
    source: Source,
    *,
    labels: LabelOptions,
    json_out: Annotated[bool, typer.Option("--json", help="Print JSON, not tables.")] = False,
) -> None:
    """Print the table to read before training: sizes, labels, duplicates, what the parts share."""
    from facedots.annotations.load import load_annotations
    from facedots.audit.stats import data_stats

    progress = Console(stderr=True)
    with progress.status("reading images"):
        annotations = load_annotations(source, labels.load())
        result = data_stats(annotations.subsets, annotations.schema)
    if json_out:
        typer.echo(json.dumps(result.to_dict(), indent=2))
    else:
        _print_stats(result)


@data_app.command()
def download(
    folder: Annotated[Path, typer.Argument(help="Where the folder youtube-faces is made.")] = Path(
        "data"
    ),
    archive: Annotated[
        str | None, typer.Option(help="Take the data from this zip file or address instead.")
    ] = None,
) -> None:
    """Fetch the public YouTube-faces frames (some 340 MB), and check that they are the right ones."""
    from facedots.data.download import ARCHIVE_URL, download_youtube_faces

    console = Console(stderr=True, highlight=False)
    console.print(f"YouTube-faces frames, for research: {archive or ARCHIVE_URL}", soft_wrap=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("checking", total=None)

        def show(done: int, total: int | None) -> None:
            whole = total is not None and done >= total
            bar.update(
                task, completed=done, total=total, description="checking" if whole else "fetching"
            )

        target = download_youtube_faces(folder, archive or ARCHIVE_URL, progress=show)
    console.print(
        "checked against what is pinned: the numbers of all labels; the bytes of the labeled test images; "
        "names and sizes of the training images (their pixels are not pinned)",
        soft_wrap=True,
    )
    typer.echo(target)


def _print_stats(stats: "DataStats") -> None:
    console = Console()
    table = Table("smallest … median … largest", *stats.parts, title="What the parts are")
    for name, values in _rows(list(stats.parts.values())).items():
        table.add_row(name, *values)
    console.print(table)
    for part, result in stats.parts.items():
        for fault in result.files.unreadable:
            console.print(f"{part}: {fault}", style="red", soft_wrap=True, markup=False)
    if not stats.shared:
        return
    table = Table(
        "",
        *(f"{pair.second}\nin {pair.first}" for pair in stats.shared),
        title="What the parts share",
    )
    table.add_row("people or photos", *(str(pair.groups) for pair in stats.shared))
    table.add_row("videos", *(str(pair.videos) for pair in stats.shared))
    table.add_row(
        "file names",
        *(f"{pair.names}, {pair.names_of_other_images} of other images" for pair in stats.shared),
    )
    table.add_row("images with equal bytes", *(str(pair.byte_duplicates) for pair in stats.shared))
    table.add_row(
        "images that look the same", *(str(pair.near_duplicates) for pair in stats.shared)
    )
    console.print(table)


def _rows(parts: "list[PartStats]") -> dict[str, list[str]]:
    labels, files = [part.labels for part in parts], [part.files for part in parts]
    return {
        "faces": [str(part.faces) for part in labels],
        "people or photos": [str(part.groups or "unknown") for part in parts],
        "videos": [str(part.videos or "unknown") for part in parts],
        "images": [str(part.images) for part in files],
        "  that cannot be read": [str(len(part.unreadable)) for part in files],
        "  width, px": [_spread(part.width) for part in files],
        "  height, px": [_spread(part.height) for part in files],
        "  really are": [_counts(part.formats) for part in files],
        "  under a wrong ending": [str(part.misnamed) for part in files],
        "  channels": [_counts(part.modes) for part in files],
        "  byte duplicates of others": [str(part.byte_duplicates) for part in files],
        "  pairs that look the same": [str(part.near_duplicates) for part in files],
        "eye distance, px": [_spread(part.eye_distance) for part in labels],
        "coordinates, px": [_spread(part.coordinates) for part in labels],
        "  only whole numbers": ["yes" if part.whole_numbers else "no" for part in labels],
        "  rounding would cost, NME %": [
            f"{part.rounding_nme:.2f}{' (it did)' if part.whole_numbers else ''}" for part in labels
        ],
        "points missing": [str(part.missing_points) for part in labels],
        "points outside the image": [
            f"{part.points_outside} in {part.faces_outside} faces" for part in labels
        ],
        "  furthest, px": [f"{part.furthest_outside:.1f}" for part in labels],
    }


def _spread(spread: "Spread") -> str:
    if math.isnan(spread.median):
        return "unknown"
    return f"{round(spread.min)} … {round(spread.median)} … {round(spread.max)}"


def _counts(counts: "Mapping[str, int]") -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.items())


LEVELS = {"error": "bold red", "warning": "yellow", "skipped": "dim", "ok": "green"}


@expand_options
def audit(
    source: Source,
    *,
    out: Annotated[Path, typer.Option(help="Folder for index.html, audit.json, faces.csv.")] = Path(
        "out/audit"
    ),
    against: Annotated[
        Path | None, typer.Option(help="Other data that must not share images or people with it.")
    ] = None,
    model: Annotated[
        str,
        typer.Option(
            help="Network to compare with: a name, an .onnx file, a run; none to go without."
        ),
    ] = "small",
    fix: Annotated[
        bool,
        typer.Option(
            "--fix", help="Write cleaned CSVs and changes.json to OUT/clean; the data stay."
        ),
    ] = False,
    drop_suspicious: Annotated[
        bool, typer.Option("--drop-suspicious", help="With --fix: leave out suspicious faces.")
    ] = False,
    labels: LabelOptions,
) -> None:
    """Find duplicates, leaks between subsets, wrong labels, and gaps in coverage.

    Labels are compared with each other, and with predictions if the network has their schema.
    """
    from facedots.annotations.load import ReadOptions, load_annotations
    from facedots.audit.audit import audit_dataset
    from facedots.audit.findings import summarize
    from facedots.audit.fix import plan_changes, write_clean
    from facedots.audit.report import write_report
    from facedots.inference.predictor import KeypointPredictor
    from facedots.inference.weights import weights_file

    if drop_suspicious and not fix:
        raise typer.BadParameter(
            "it says what --fix leaves out; give --fix, too", param_hint="--drop-suspicious"
        )
    annotations = load_annotations(source, labels.load())
    schema, others = annotations.schema, None
    if against:
        others = load_annotations(against, ReadOptions(schema=schema)).subsets
    predictor = None if model == "none" else KeypointPredictor(weights_file(model))
    with Console(stderr=True).status("auditing all faces"):
        result = audit_dataset(annotations.subsets, schema, predictor, model, others)
        changes = plan_changes(result, drop_suspicious) if fix else None
        note = ""
        if predictor and result.model:
            note = f"{model} was trained on: {predictor.card.trained_on or 'unknown'}."
        files = write_report(result, out, Path(source).resolve().name, note, changes)
        files += write_clean(result, changes, out / "clean") if changes is not None else []
    console = Console(highlight=False)
    for finding in summarize(result):
        console.print(f"[{LEVELS[finding.level]}]{finding.level:7}[/] {finding.check}:", end=" ")
        console.print(finding.text, markup=False, soft_wrap=True)
    for path in files:
        typer.echo(path)
