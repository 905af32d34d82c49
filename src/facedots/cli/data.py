"""``facedots data``: show, count and audit labeled images; download the public set."""

import json
import math
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
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
from facedots.cli.output import echo
from facedots.io.signals import exit_status, stoppable
from facedots.io.text import count_noun, printable
from facedots.pipeline_options import DeviceOption

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from facedots.audit.stats import DataStats, Spread, SubsetStats

data_app = typer.Typer(
    no_args_is_help=True, help="Show, count and audit labeled images; download the public set."
)

Source = Annotated[
    str,
    typer.Argument(
        help="CSV, COCO or Label Studio .json, CVAT .xml or .zip, a folder of these, or a pack."
    ),
]
OutFolder = Annotated[Path, "New folder to write."]


@data_app.command()
@expand_options
def show(
    source: Source,
    *,
    out: Annotated[Path, "Folder for the images, which replace those there."] = Path("out/data"),
    count: Annotated[int, "How many faces.", {"min": 1}] = 8,
    seed: Annotated[int, "Another number picks other faces."] = 0,
    labels: LabelOptions,
) -> None:
    """Draw random faces with numbered keypoints, one image each; and a sheet without numbers.

    Hidden points are hollow, pupils white.
    """
    from facedots.annotations.load import load_annotations
    from facedots.plots.faces import write_samples

    for path in write_samples(load_annotations(source, labels.load()), out, count, seed):
        echo(path)


@data_app.command()
@expand_options
def stats(
    source: Source,
    *,
    labels: LabelOptions,
    json_out: Annotated[bool, "Print JSON, not tables.", {"name": "json"}] = False,
) -> None:
    """Print sizes, labels, duplicates, and what subsets share. Read it before training."""
    from facedots.annotations.load import load_annotations
    from facedots.audit.stats import data_stats, mirror_text

    with Console(stderr=True).status("reading images"):
        annotations = load_annotations(source, labels.load())
        result = data_stats(annotations.subsets, annotations.schema)
    if json_out:
        typer.echo(json.dumps(result.to_dict(), indent=2))
    else:
        _print_stats(result)
        echo(mirror_text(annotations.schema))


@data_app.command()
@expand_options
def download(
    folder: Annotated[Path, typer.Argument(help="Where the folder youtube-faces is made.")] = Path(
        "data"
    ),
    archive: Annotated[str | None, "Take the data from this zip file or address instead."] = None,
) -> None:
    """Download the public YouTube-faces frames and check them. Some 340 MB."""
    from facedots.data.download import ARCHIVE_URL, download_youtube_faces

    console = Console(stderr=True, highlight=False)
    echo(f"YouTube-faces frames, for research: {archive or ARCHIVE_URL}", err=True)
    text, speed = TextColumn("{task.description}"), TransferSpeedColumn()
    columns = (text, BarColumn(), DownloadColumn(), speed, TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("checking", total=None)

        def show(done: int, total: int | None) -> None:
            doing = "checking" if total is not None and done >= total else "fetching"
            bar.update(task, completed=done, total=total, description=doing)

        target = download_youtube_faces(folder, archive or ARCHIVE_URL, progress=show)
    console.print(
        "checked against what is pinned: the numbers of all labels; the bytes of the labeled test "
        "images; names and sizes of the training images (their pixels are not pinned)",
        soft_wrap=True,
    )
    echo(target)


@data_app.command()
@expand_options
def pack(
    source: Source,
    *,
    out: OutFolder,
    crop_size: Annotated[
        int,
        "Pack crops around the faces, of at most this many pixels; 0: whole images.",
        {"min": 0},
    ] = 0,
    shard_mb: Annotated[int, "Size of a shard, in MB.", {"min": 1}] = 256,
    labels: LabelOptions,
) -> None:
    """Pack labeled images into tar shards, to be read from disk or from s3://, gs://, ….

    A pack is data wherever a command takes some, and holds all that is known of the faces.
    """
    from facedots.annotations.load import load_annotations
    from facedots.annotations.packing import pack as pack_data

    data = load_annotations(source, labels.load())
    _count_images(pack_data(data, out, crop_size=crop_size, shard_bytes=shard_mb << 20), "packing")
    echo(out)


@data_app.command()
@expand_options
def unpack(
    source: Annotated[str, typer.Argument(help="A pack: a folder, or an address.")],
    *,
    out: OutFolder,
) -> None:
    """Write the images of a pack as files, with an index that makes the folder the same data."""
    from facedots.annotations.packing import unpack as unpack_data

    _count_images(unpack_data(source, out), "unpacking")
    echo(out)


def _count_images(files: "Generator[str, None, None]", doing: str) -> None:
    try:
        with stoppable(), closing(files), Console(stderr=True).status(doing) as status:
            for count, _file in enumerate(files, 1):
                status.update(f"{doing}: {count_noun(count, 'image')}")
    except KeyboardInterrupt as stop:
        echo("stopped; what was written is removed", err=True)
        raise typer.Exit(exit_status(stop)) from None


def _print_stats(stats: "DataStats") -> None:
    console = Console(emoji=False)
    ranges = "ranges: smallest … median … largest"
    table = Table("", *map(escape, stats.subsets), title="The subsets", caption=ranges)
    for name, values in _rows(list(stats.subsets.values())).items():
        table.add_row(name, *values)
    console.print(table)
    for subset, result in stats.subsets.items():
        for fault in result.files.unreadable:
            echo(f"{subset}: {fault}")
    if not stats.shared:
        return
    names = [escape(f"{pair.second}\nin {pair.first}") for pair in stats.shared]
    table = Table("", *names, title="What the subsets share")
    rows = {
        "people or photos": [str(pair.groups) for pair in stats.shared],
        "videos": [str(pair.videos) for pair in stats.shared],
        "file names": [
            f"{pair.names}, {pair.names_of_other_images} of other images" for pair in stats.shared
        ],
        "images with equal bytes": [str(pair.byte_duplicates) for pair in stats.shared],
        "images that look the same": [str(pair.near_duplicates) for pair in stats.shared],
    }
    for name, cells in rows.items():
        table.add_row(name, *cells)
    console.print(table)


def _rows(subsets: "list[SubsetStats]") -> dict[str, list[str]]:
    labels, files = [subset.labels for subset in subsets], [subset.files for subset in subsets]
    return {
        "faces": [str(each.faces) for each in labels],
        "people or photos": [str(each.groups or "unknown") for each in subsets],
        "videos": [str(each.videos or "unknown") for each in subsets],
        "images": [str(each.images) for each in files],
        "  that cannot be read": [str(len(each.unreadable)) for each in files],
        "  width, px": [_spread(each.width) for each in files],
        "  height, px": [_spread(each.height) for each in files],
        "  format of the bytes": [_counts(each.formats) for each in files],
        "  under a wrong ending": [str(each.misnamed) for each in files],
        "  channels": [_counts(each.modes) for each in files],
        "  byte duplicates of others": [str(each.byte_duplicates) for each in files],
        "  pairs that look the same": [str(each.near_duplicates) for each in files],
        "eye distance, px": [_spread(each.eye_distance) for each in labels],
        "coordinates, px": [_spread(each.coordinates) for each in labels],
        "  only whole numbers": ["yes" if each.whole_numbers else "no" for each in labels],
        "  rounding would cost, NME %": [
            f"{each.rounding_nme:.2f}{' (it did)' if each.whole_numbers else ''}" for each in labels
        ],
        "points missing": [str(each.missing_points) for each in labels],
        "points labeled as hidden": [str(each.hidden_points) for each in subsets],
        "faces with labeled pupils": [str(each.faces_with_pupils) for each in subsets],
        "points outside the image": [
            f"{each.points_outside} in {count_noun(each.faces_outside, 'face')}" for each in labels
        ],
        "  furthest, px": [f"{each.furthest_outside:.1f}" for each in labels],
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
    out: Annotated[Path, "Folder for index.html, audit.json, faces.csv, over those there."] = Path(
        "out/audit"
    ),
    against: Annotated[
        str | None, "Other data that must not share images or people with it."
    ] = None,
    model: Annotated[
        str, "Network to compare with: a name, an .onnx file, a run; none to go without."
    ] = "small",
    device: DeviceOption = "cpu",
    fix: Annotated[
        bool, "Write cleaned CSVs and changes.json to OUT/clean; the data stay."
    ] = False,
    drop_suspicious: Annotated[bool, "With --fix: leave out suspicious faces."] = False,
    labels: LabelOptions,
) -> None:
    """Find duplicates, leaks, wrong labels, and gaps in coverage.

    Leaks are images and people that subsets share. Labels are compared with each other, and with
    predictions if the network has their schema.
    """
    from facedots.annotations.load import load_annotations, load_same_points
    from facedots.audit.audit import audit_dataset
    from facedots.audit.findings import summarize
    from facedots.audit.fix import plan_changes, write_clean
    from facedots.audit.report import write_report
    from facedots.inference.predictor import KeypointPredictor

    if drop_suspicious and not fix:
        raise typer.BadParameter(
            "it says what --fix leaves out; give --fix, too", param_hint="--drop-suspicious"
        )
    annotations = load_annotations(source, labels.load())
    schema, others = annotations.schema, None
    if against:
        others = load_same_points(against, schema, source).subsets
    predictor = None if model == "none" else KeypointPredictor(model, refine=0, providers=device)
    with Console(stderr=True).status("auditing all faces"):
        result = audit_dataset(annotations.subsets, schema, predictor, model, others)
        changes = plan_changes(result, drop_suspicious) if fix else None
        note = ""
        if predictor and result.model:
            note = f"{model} was trained on: {predictor.card.trained_on or 'unknown'}."
        files = write_report(result, out, Path(source).resolve().name, note, changes)
        files += write_clean(result, changes, out / "clean") if changes is not None else []
    console = Console(highlight=False, emoji=False)
    for finding in summarize(result):
        console.print(f"[{LEVELS[finding.level]}]{finding.level:7}[/] {finding.check}:", end=" ")
        console.print(printable(finding.text), markup=False, soft_wrap=True)
    for path in files:
        echo(path)
