"""``facedots video``: track the faces of a video file, a camera or a stream."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from facedots.cli.options import PipelineOptions, expand_options
from facedots.cli.output import echo, exit_status, is_printed, output_file, stoppable
from facedots.errors import OutputError, VideoError

if TYPE_CHECKING:
    from facedots.pipeline import VideoStats

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
    out: Annotated[
        Path | None, typer.Option(dir_okay=False, help="Write a video: .mp4, .mov, .mkv or .webm.")
    ] = None,
    effects: Annotated[
        str | None,
        typer.Option(
            "--filter", metavar="NAME,…", help="Effects of `facedots filter` instead of dots."
        ),
    ] = None,
    csv: Annotated[
        Path | None,
        typer.Option(dir_okay=False, help="Write CSV with a row for each face; - prints it."),
    ] = None,
    jsonl: Annotated[
        Path | None, typer.Option(dir_okay=False, help="Write the same as a JSON object per line.")
    ] = None,
    parquet: Annotated[
        Path | None, typer.Option(dir_okay=False, help="Write the same as Parquet; needs pyarrow.")
    ] = None,
    pose: Annotated[
        bool,
        typer.Option("--pose", help="Add head pose and expression to the tables; count blinks."),
    ] = False,
    smooth: Annotated[
        bool, typer.Option("--smooth/--no-smooth", help="Smooth the keypoints over time.")
    ] = True,
    sound: Annotated[
        bool, typer.Option("--sound/--no-sound", help="Copy the sound; needs PyAV.")
    ] = True,
    mirror: Annotated[
        bool, typer.Option("--mirror", help="Mirror the frames first, as a selfie view does.")
    ] = False,
    detect_every: Annotated[
        int, typer.Option(min=1, help="Frames between two searches for new faces.")
    ] = 30,
    fps: Annotated[
        float | None,
        typer.Option(min=0.01, help="Frame rate of a folder of frames; 25 if not given."),
    ] = None,
    seconds: Annotated[
        float | None, typer.Option(min=0, help="Stop after this much of the source.")
    ] = None,
    networks: PipelineOptions,
) -> None:
    """Track faces through a video: stable IDs and temporally smoothed keypoints.

    Frames keep their times, and the video its sound, where PyAV is installed (pip install
    'facedots[video]'). Memory does not grow with the length. Where the source breaks off, or with
    Ctrl-C, what was written so far is kept as a valid file. The exit status is 1 where the source
    breaks off or has damaged frames, and 130 with Ctrl-C. Existing files are replaced, but never
    the source. Frames that change their size are fitted into the first frame's, with a note.
    """
    from facedots.effects.base import chain_effects, named_effects
    from facedots.pipeline import VideoStats, process_video

    draw = chain_effects(named_effects(effects)) if effects is not None else None
    csv, jsonl, parquet = output_file(csv), output_file(jsonl), output_file(parquet)
    printed = is_printed(csv, jsonl, parquet)
    stats, files = VideoStats(), [str(path) for path in (out, csv, jsonl, parquet) if path]
    pipeline = networks.load()
    try:
        with stoppable(), _progress() as progress:
            task = progress.add_task("tracking faces", total=None, speed=0.0)

            def show(current: VideoStats) -> None:
                nonlocal stats
                stats, speed = current, current.frames_per_second
                progress.update(task, completed=stats.frames, total=stats.total, speed=speed)

            process_video(
                source,
                pipeline,
                out=out,
                csv=csv,
                jsonl=jsonl,
                parquet=parquet,
                draw=draw,
                pose=pose,
                smooth=smooth,
                sound=sound,
                mirror=mirror,
                detect_every=detect_every,
                fps=fps,
                seconds=seconds,
                on_frame=show,
            )
    except VideoError as error:
        if not stats.frames:
            raise
        raise VideoError(f"{error}; {_summary(files, stats)}") from error
    except OutputError as error:
        if not stats.frames:
            raise
        kept = "CSV and JSON lines hold the frames before; other files were deleted"
        raise OutputError(f"{error}; stopped after frame {stats.frames}: {kept}") from error
    except KeyboardInterrupt as stop:
        echo(_summary(files, stats), err=printed)
        echo("stopped by Ctrl-C" if exit_status(stop) == _INTERRUPTED else "stopped", err=True)
        raise typer.Exit(exit_status(stop)) from None
    echo(_summary(files, stats), err=printed)
    if stats.damaged:
        raise typer.Exit(1)


def _summary(files: list[str], stats: "VideoStats") -> str:
    """Say what was written and what is in it."""
    if not stats.frames:
        return "nothing was written"
    count = len(stats.track_ids)
    faces = f"{count} face{'s' * (count != 1)}" if count else "no face found"
    blinks = ", ".join(f"face {track_id}: {blinks}" for track_id, blinks in stats.blinks.items())
    return (
        f"{', '.join(files)}: {stats.frames} frames, {stats.frames_without_face} of them without a "
        f"face, {faces}{'; blinks of ' * bool(blinks)}{blinks}; {stats.frames_per_second:.1f} "
        f"frames a second, detector in {stats.detector_runs}{_troubles(stats)}"
    )


def _troubles(stats: "VideoStats") -> str:
    """What the source did that may surprise: sizes that change, frames that are damaged."""
    notes = ""
    if len(stats.sizes) > 1:
        sizes = [f"{w} x {h} from frame {n}" for n, (w, h) in stats.sizes.items()]
        more = f" and {len(sizes) - 3} more times" if len(sizes) > 3 else ""
        notes += f"; the frames change their size ({', '.join(sizes[:3])}{more}): the video "
        notes += (
            "written keeps the first one's, with black borders; tables have each frame's pixels"
        )
    if stats.damaged:
        count = f"{stats.damaged} damaged frame{'s' * (stats.damaged != 1)}"
        notes += f"; {count} in the source, which could not be decoded or only in part"
    return notes


def _progress() -> Progress:
    """A bar on stderr with frames per second and the time left, where that is a terminal."""
    console = Console(stderr=True)
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[speed]:.1f} frames/s"),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
