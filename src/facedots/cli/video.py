"""``facedots video``: follow the faces of a film, a camera or a stream; draw on them, put effects
on them, list them.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from facedots.cli.options import (
    DetectorChoice,
    DetectorFile,
    DetectorName,
    MaxSide,
    Model,
    Refine,
    Threads,
    make_pipeline,
)
from facedots.errors import OutputError, VideoError

if TYPE_CHECKING:
    from facedots.geometry import Image
    from facedots.io.results import FaceTable
    from facedots.io.video import Frame, VideoSink, VideoSource
    from facedots.tracking.tracker import Tracker
    from facedots.types import Face

    Paint = Callable[[Image, Sequence[Face]], Image]

_INTERRUPTED = 130


def video(
    source: Annotated[
        str,
        typer.Argument(
            help="A file, a folder of frames, the number of a camera, or an rtsp:// or http:// address."
        ),
    ],
    *,
    out: Annotated[
        Path | None, typer.Option(dir_okay=False, help="Write a film: .mp4, .mov, .mkv or .webm.")
    ] = None,
    effects: Annotated[
        str | None,
        typer.Option(
            "--filter", metavar="NAME,…", help="Effects of `facedots filter` instead of dots."
        ),
    ] = None,
    csv: Annotated[
        Path | None, typer.Option(dir_okay=False, help="Write a CSV file with a row for each face.")
    ] = None,
    jsonl: Annotated[
        Path | None, typer.Option(dir_okay=False, help="Write the same as a JSON object a line.")
    ] = None,
    parquet: Annotated[
        Path | None, typer.Option(dir_okay=False, help="Write the same as Parquet; needs pyarrow.")
    ] = None,
    pose: Annotated[
        bool,
        typer.Option("--pose", help="Add head pose and expression to the tables; count blinks."),
    ] = False,
    smooth: Annotated[
        bool, typer.Option("--smooth/--no-smooth", help="Quiet the points from frame to frame.")
    ] = True,
    sound: Annotated[
        bool, typer.Option("--sound/--no-sound", help="Copy the sound; needs PyAV.")
    ] = True,
    detect_every: Annotated[
        int, typer.Option(min=1, help="Frames between two searches for new faces.")
    ] = 30,
    fps: Annotated[
        float | None,
        typer.Option(min=0.01, help="Frames a second of a folder of frames; 25 if not given."),
    ] = None,
    seconds: Annotated[
        float | None, typer.Option(min=0, help="Stop after so much of the source.")
    ] = None,
    model: Model = "small",
    detector: DetectorChoice = DetectorName.RETINAFACE,
    detector_file: DetectorFile = None,
    max_side: MaxSide = 1024,
    refine: Refine = 1,
    threads: Threads = 1,
) -> None:
    """Follow faces through a video; each has a number of its own, and points that do not flicker.

    Frames keep their times and films their sound where PyAV is installed (pip install
    'facedots[video]'). Memory does not grow with the length. Where the source breaks off, or with
    Ctrl-C, what was written so far is kept as a valid file.
    """
    from facedots.io.results import CsvTable, JsonLinesTable, ParquetTable
    from facedots.io.video import open_sink, open_source
    from facedots.tracking.tracker import Tracker

    tables = [(CsvTable, csv), (JsonLinesTable, jsonl), (ParquetTable, parquet)]
    paths = [path for path in (out, csv, jsonl, parquet) if path]
    if not paths:
        raise OutputError("nothing to write: give --out, --csv, --jsonl or --parquet")
    if len({path.resolve() for path in paths}) < len(paths):
        raise OutputError("two of the files to write are the same")
    paint = _paint(effects)
    pipeline = make_pipeline(
        model, detector, detector_file, max_side=max_side, refine=refine, threads=threads
    )
    schema = pipeline.predictor.spec.schema
    with ExitStack() as stack:
        film = stack.enter_context(open_source(source, fps))
        sink = stack.enter_context(open_sink(out, film, sound=sound)) if out else None
        reader = _Reader() if pose else None
        signals = reader.signals if reader else ()
        lists = [
            stack.enter_context(kind(path, schema, film.name, signals))
            for kind, path in tables
            if path
        ]
        tracker = Tracker(
            pipeline.detector, pipeline.predictor, detect_every=detect_every, smooth=smooth
        )
        run = _Run(film, tracker, reader, paint, _Outputs(sink, lists))
        ending = run.through(seconds)
    written = (
        f"{', '.join(map(str, paths))}: {run.summary()}" if run.count else "nothing was written"
    )
    if isinstance(ending, VideoError):
        raise VideoError(f"{ending}; {written}") from ending
    typer.echo(written)
    if ending:
        typer.echo("stopped by Ctrl-C", err=True)
        raise typer.Exit(_INTERRUPTED)


@dataclass(frozen=True)
class _Outputs:
    """Where the results go."""

    film: "VideoSink | None"
    tables: "list[FaceTable]"


class _Reader:
    """Pose and signals of each face, and the blinks of each person."""

    def __init__(self) -> None:
        from facedots.analysis.expression import BlinkCounter, FaceReader

        self._read = FaceReader()
        self._counters: defaultdict[int, BlinkCounter] = defaultdict(BlinkCounter)
        self.signals = FaceReader.signals

    def __call__(self, image: "Image", faces: "Sequence[Face]", time: float) -> "list[Face]":
        """The same faces, read."""
        faces = self._read(image, faces)
        for face in faces:
            if face.signals and face.track_id is not None:
                self._counters[face.track_id].update(face.signals, time)
        return faces

    def blinks(self) -> str:
        """How often each person has blinked."""
        return ", ".join(
            f"face {number}: {counter.count}" for number, counter in sorted(self._counters.items())
        )


class _Run:
    """One pass through a video."""

    def __init__(
        self,
        film: "VideoSource",
        tracker: "Tracker",
        reader: _Reader | None,
        paint: "Paint",
        outputs: _Outputs,
    ) -> None:
        self._film, self._tracker, self._reader, self._paint, self._outputs = (
            film,
            tracker,
            reader,
            paint,
            outputs,
        )
        self._started = time.monotonic()
        self._numbers: set[int | None] = set()
        self._without = 0
        self.count = 0

    def through(self, seconds: float | None) -> VideoError | KeyboardInterrupt | None:
        """All frames, or those of the first ``seconds``; what ended it too early, if anything did."""
        total = self._film.info.frames
        if seconds is not None:
            allowed = max(1, round(seconds * self._film.info.rate))
            total = min(total, allowed) if total else allowed
        try:
            with _progress() as progress:
                task = progress.add_task("following faces", total=total, speed=0.0)
                first = None
                for frame in self._film:
                    first = frame.time if first is None else first
                    if seconds is not None and frame.time - first >= seconds:
                        break
                    self._step(frame)
                    progress.update(task, completed=self.count, speed=self._speed())
        except (VideoError, KeyboardInterrupt) as error:
            return error
        return None

    def summary(self) -> str:
        """What was done."""
        faces = (
            f"{len(self._numbers)} face{'s' * (len(self._numbers) != 1)}"
            if self._numbers
            else "no face found"
        )
        frames = f"{self.count} frames, {self._without} of them without a face, {faces}"
        blinks = f"; blinks of {self._reader.blinks()}" if self._reader and self._numbers else ""
        return f"{frames}{blinks}; {self._speed():.1f} frames a second, detector in {self._tracker.detector_runs}"

    def _step(self, frame: "Frame") -> None:
        """One frame."""
        from facedots.io.video import Frame

        faces = self._tracker(frame.image, frame.time)
        if self._reader:
            faces = self._reader(frame.image, faces, float(frame.time))
        self.count += 1
        self._without += not faces
        self._numbers.update(face.track_id for face in faces)
        if self._outputs.film:
            self._outputs.film.write(Frame(self._paint(frame.image, faces), frame.time))
        for table in self._outputs.tables:
            table.write(self.count, frame.time, faces)

    def _speed(self) -> float:
        return self.count / max(time.monotonic() - self._started, 1e-6)


def _paint(effects: str | None) -> "Paint":
    """What is drawn on a frame: the effects that are named, or dots."""
    from facedots.plots.draw import draw_faces

    if effects is None:
        return lambda image, faces: draw_faces(image, faces, box=False)
    from facedots.effects.base import named_effects

    chosen = named_effects(effects)

    def put(image: "Image", faces: "Sequence[Face]") -> "Image":
        for effect in chosen:
            image = effect(image, faces)
        return image

    return put


def _progress() -> Progress:
    """A bar on stderr with frames a second and the time left, where somebody watches."""
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
