"""``facedots video``: track the faces of a video file, a camera or a stream."""

from dataclasses import replace
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from facedots.cli.options import expand_options
from facedots.cli.output import count_faces, echo, is_printed, output_file, quiet_decoders
from facedots.errors import OutputError, VideoError
from facedots.io.signals import exit_status, stoppable
from facedots.io.text import count_noun
from facedots.pipeline_options import PipelineOptions
from facedots.video import VideoOptions, VideoStats, process_video

_INTERRUPTED = 130


@expand_options
def video(
    source: Annotated[
        str,
        typer.Argument(
            help="A file, a folder of frames, a camera's number, or an rtsp:// or http:// address."
        ),
    ],
    *,
    effects: Annotated[
        str | None,
        "Effects of `facedots filter` instead of dots.",
        {"name": "filter", "metavar": "NAME,…"},
    ] = None,
    options: VideoOptions,
    networks: PipelineOptions,
) -> None:
    """Track faces through a video: stable IDs and smooth keypoints.

    Frames keep their times, and the video its sound, where PyAV is installed (pip install
    'facedots[video]'). Memory does not grow with the length. Where the source breaks off, or with
    Ctrl-C, what was written so far is kept as a valid file. The exit status is 1 where the source
    breaks off or has damaged frames, and 130 with Ctrl-C. Existing files are replaced, but never
    the source. Frames that change their size are fitted into the first frame's, with a note.
    """
    from facedots.effects.base import chain_effects, named_effects

    draw = chain_effects(named_effects(effects)) if effects is not None else None
    tables = {name: output_file(getattr(options, name)) for name in ("csv", "jsonl", "parquet")}
    options, printed = replace(options, **tables), is_printed(*tables.values())
    stats, pipeline = VideoStats(), networks.load()
    try:
        with stoppable(), quiet_decoders(), _progress() as progress:
            task = progress.add_task("tracking faces", total=None, speed=0.0)

            def show(current: VideoStats) -> None:
                nonlocal stats
                stats, speed = current, current.frames_per_second
                progress.update(task, completed=stats.frames, total=stats.total, speed=speed)

            process_video(source, options, pipeline, draw=draw, on_frame=show)
    except VideoError as error:
        if not stats.frames:
            raise
        raise VideoError(f"{error}; {_summary(options, stats)}") from error
    except OutputError as error:
        if not stats.frames:
            raise
        kept = "files hold the frames before; one that cannot be finished was deleted"
        raise OutputError(f"{error}; stopped after frame {stats.frames}: {kept}") from error
    except KeyboardInterrupt as stop:
        echo(_summary(options, stats), err=printed)
        echo("stopped by Ctrl-C" if exit_status(stop) == _INTERRUPTED else "stopped", err=True)
        raise typer.Exit(exit_status(stop)) from None
    echo(_summary(options, stats), err=printed)
    if stats.damaged:
        raise typer.Exit(1)


def _summary(options: VideoOptions, stats: VideoStats) -> str:
    """Say what was written and what is in it."""
    if not stats.frames:
        return "nothing was written"
    faces = count_faces(len(stats.track_ids))
    blinks = ", ".join(f"face {track_id}: {blinks}" for track_id, blinks in stats.blinks.items())
    return (
        f"{', '.join(map(str, options.files))}: {count_noun(stats.frames, 'frame')}, "
        f"{stats.frames_without_face} of them without a face, "
        f"{faces}{'; blinks of ' * bool(blinks)}{blinks}; "
        f"{stats.frames_per_second:.1f} frames a second, detector in "
        f"{stats.detector_runs}{_troubles(options, stats)}"
    )


def _troubles(options: VideoOptions, stats: VideoStats) -> str:
    """What may surprise: sizes that change, frames that are damaged or not drawn on."""
    notes = ""
    if len(stats.sizes) > 1:
        sizes = [f"{w} x {h} from frame {n}" for n, (w, h) in stats.sizes.items()]
        more = f" and {len(sizes) - 3} more times" if len(sizes) > 3 else ""
        film = ["the video written keeps the first one's, with black borders"] * bool(options.out)
        tables = ["tables have each frame's pixels"] * (options.files != [options.out])
        changes = f"the frames change their size ({', '.join(sizes[:3])}{more})"
        notes = f"; {changes}: {'; '.join(film + tables)}"
    if stats.undrawn:
        notes += f"; {count_noun(stats.undrawn, 'frame')} left as recorded: too few faces to draw"
    if stats.damaged:
        count = count_noun(stats.damaged, "damaged frame")
        notes += f"; {count} in the source, which could not be decoded or only in part"
    return notes


def _progress() -> Progress:
    """A bar on stderr with frames per second and the time left, where that is a terminal."""
    console = Console(stderr=True)
    speed = TextColumn("{task.fields[speed]:.1f} frames/s")
    columns = BarColumn(), MofNCompleteColumn(), speed, TimeRemainingColumn()
    text, hidden = TextColumn("{task.description}"), not console.is_terminal
    return Progress(text, *columns, console=console, transient=True, disable=hidden)
