"""``facedots batch``: the faces of a collection of any size, as Parquet files."""

import math
import time
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from facedots.batch.options import BatchOptions
from facedots.cli.options import MaxPixels, Recursive, expand_options
from facedots.cli.output import count_faces, echo, quiet_decoders
from facedots.io.headers import MAX_PIXELS
from facedots.io.signals import exit_status, stoppable
from facedots.io.text import count_noun
from facedots.pipeline_options import PipelineOptions

if TYPE_CHECKING:
    from facedots.batch.estimate import BatchEstimate
    from facedots.batch.run import BatchProgress

_LINE_EVERY = 60.0  # seconds
_LEAST_HOURS = 0.01


@expand_options
def batch(
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="SOURCE",
            help="Images, folders, patterns in quotes, tar shards, Parquet, CSV or text lists, "
            "videos; also http://, s3:// and other addresses.",
        ),
    ],
    *,
    out: Annotated[
        Path, "Folder for parts/*.parquet, the manifest and summary.json.", {"file_okay": False}
    ],
    options: BatchOptions,
    networks: PipelineOptions,
    dry_run: Annotated[
        bool, "Only say what it would take, from a few images that are worked on."
    ] = False,
    recursive: Recursive = False,
    max_pixels: MaxPixels = MAX_PIXELS,
) -> None:
    """Find the faces of a large collection with many processes, on one machine or a cluster.

    The work is cut into parts, each of which becomes one Parquet file with a row per face, whole or
    not at all. Whatever ends the command, Ctrl-C, SIGKILL or a full disk, the same command goes on
    with the parts that are missing; other sources or options are refused then. A source that cannot
    be read is a row with its error, one without a face is a row too. The exit status is 1 where
    there are errors, 130 with Ctrl-C.
    """
    from facedots.batch.estimate import estimate_batch
    from facedots.batch.run import run_batch
    from facedots.batch.sources import list_parts
    from facedots.batch.work import Job

    if options.address and options.engine != "ray":
        raise typer.BadParameter("it needs --engine ray", param_hint="--address")
    if dry_run:
        job = Job(out.absolute(), networks, max_pixels, options.frame_step)
        parts = list_parts(sources, options.part_size, recursive, options.column, _warn)
        echo(_describe(estimate_batch(job, parts)))
        return
    display = _Display()
    try:
        with stoppable(), quiet_decoders(), display:
            run_batch(
                sources,
                out,
                networks,
                options,
                recursive=recursive,
                max_pixels=max_pixels,
                on_part=display.show,
                on_skip=_warn,
            )
    except KeyboardInterrupt as stop:
        _warn("stopped; the same command goes on with the parts that are missing")
        raise typer.Exit(exit_status(stop)) from None
    finally:
        if display.progress:
            echo(f"{out}: {_summary(display.progress)}")
    if display.progress and display.progress.stats.errors:
        where = f"what failed and why: columns source and error of {out}/parts/*.parquet"
        echo(where, *(f"  {line}" for line in display.progress.stats.failures), err=True)
        raise typer.Exit(1)


class _Display:
    """Rate and remaining time on stderr: a bar, or a line a minute where that is no terminal.

    Attributes:
        progress: How far the batch is.
    """

    def __init__(self) -> None:
        console = Console(stderr=True)
        text = TextColumn("finding faces")
        rate = TextColumn("parts, {task.fields[rate]:.1f} images/s")
        columns = (text, BarColumn(), MofNCompleteColumn(), rate, TimeRemainingColumn())
        is_terminal = console.is_terminal
        self._bar = Progress(*columns, console=console, transient=True, disable=not is_terminal)
        self._task = self._bar.add_task("", total=None, rate=0.0)
        self._next_line = math.inf if is_terminal else time.monotonic() + _LINE_EVERY
        self.progress: BatchProgress | None = None

    def __enter__(self) -> None:
        self._bar.start()

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def show(self, progress: "BatchProgress") -> None:
        """Show how far the batch is."""
        self.progress, rate = progress, progress.images_per_second
        self._bar.update(self._task, completed=progress.finished, total=progress.planned, rate=rate)
        if time.monotonic() >= self._next_line:
            self._next_line = time.monotonic() + _LINE_EVERY
            left = progress.seconds_left
            hours = "" if left is None else f", about {timedelta(seconds=round(left))} left"
            _warn(f"{progress.done} of {progress.parts} parts, {rate:.1f} images/s{hours}")


def _summary(progress: "BatchProgress") -> str:
    """What is in the finished parts."""
    stats, kinds = progress.stats, progress.stats.errors.most_common()
    parts = f"{progress.done} of {progress.parts} parts"
    found = (
        f"{count_noun(stats.images, 'image')}, {count_faces(stats.faces)}, "
        f"{stats.without_face} without a face"
    )
    errors = ", ".join(f"{count} {kind}" for kind, count in kinds)
    return f"{parts}; {found}" + (f"; errors: {errors}" if errors else "")


def _describe(estimate: "BatchEstimate") -> str:
    """What a batch would take."""
    size = "" if estimate.size is None else f", about {estimate.size / 1e6:.1f} MB"
    parts, images = count_noun(estimate.parts, "part"), count_noun(estimate.images, "image")
    hours = f"about {estimate.core_hours:.2f}"
    if estimate.core_hours < _LEAST_HOURS:
        hours = f"less than {_LEAST_HOURS}"
    sample = f"as {count_noun(estimate.sample, 'image')} took on this machine"
    return f"{parts}, about {images}{size}; {hours} core hours, {sample}"


def _warn(text: str) -> None:
    echo(text, err=True)
