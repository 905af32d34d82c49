"""Faces tracked through a video, as a video with drawings and as tables."""

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from facedots.errors import FaceCountError, FacedotsError, OutputError, VideoError

if TYPE_CHECKING:
    from facedots.geometry import Image
    from facedots.io.video import Frame, VideoReader
    from facedots.pipeline import Pipeline
    from facedots.types import Face

_FILE = {"dir_okay": False}


@dataclass(frozen=True, kw_only=True)
class VideoOptions:
    """What to read of a video and what to write of it; ``facedots video --help`` explains each.

    The tables ``csv``, ``jsonl`` and ``parquet`` (extra ``parquet``) hold a row per face, see
    docs/results.md. ``pose`` also counts blinks; ``sound`` needs the extra ``video``.

    Example:
        >>> VideoOptions(csv=Path("faces.csv"), seconds=10).smooth
        True
    """

    out: Annotated[Path | None, "Write a video: .mp4, .mov, .mkv or .webm.", _FILE] = None
    csv: Annotated[Path | None, "Write CSV with a row for each face; - prints it.", _FILE] = None
    jsonl: Annotated[Path | None, "Write the same as a JSON object per line.", _FILE] = None
    parquet: Annotated[Path | None, "Write the same as Parquet; needs pyarrow.", _FILE] = None
    pose: Annotated[
        bool, "Add head pose, expression, emotion and gaze to the tables; count blinks."
    ] = False
    smooth: Annotated[bool, "Smooth the keypoints over time."] = True
    sound: Annotated[bool, "Copy the sound; needs PyAV."] = True
    mirror: Annotated[bool, "Mirror the frames first, as a selfie view does."] = False
    detect_every: Annotated[int, "Frames between two searches for new faces.", {"min": 1}] = 30
    fps: Annotated[
        float | None,
        "Frame rate of a folder of frames; 25 if not given.",
        {"min": 0.01, "max": 1000},
    ] = None
    seconds: Annotated[
        float | None, "Stop after this much of the source.", {"min": 0.001, "max": 1e9}
    ] = None

    def __post_init__(self) -> None:
        for name in ("out", "csv", "jsonl", "parquet"):
            if (path := getattr(self, name)) is not None:
                object.__setattr__(self, name, Path(path))

    @property
    def files(self) -> list[Path]:
        """The files to write."""
        return [path for path in (self.out, self.csv, self.jsonl, self.parquet) if path]


@dataclass
class VideoStats:
    """What :func:`process_video` has done so far.

    Attributes:
        total: Frames to expect; ``None`` where the source does not tell.
        frames: Frames done.
        frames_without_face: Those of them in which no face was found.
        track_ids: IDs of all faces.
        blinks: Blinks of each ID; only where poses are estimated.
        detector_runs: How often the detector ran.
        sizes: Width and height of the frames, by the number (from 1) of the first that has them.
        damaged: Frames that the decoder refused or gave only in part.
        undrawn: Frames with too few faces for what is to be drawn.
        started: ``time.monotonic()`` before the first frame.
    """

    total: int | None = None
    frames: int = 0
    frames_without_face: int = 0
    track_ids: set[int | None] = field(default_factory=set)
    blinks: dict[int, int] = field(default_factory=dict)
    detector_runs: int = 0
    sizes: dict[int, tuple[int, int]] = field(default_factory=dict)
    damaged: int = 0
    undrawn: int = 0
    started: float = field(default_factory=time.monotonic)

    def add(self, image: "Image", faces: "Sequence[Face]") -> None:
        """Count the next frame and its faces."""
        self.frames += 1
        self.frames_without_face += not faces
        self.track_ids.update(face.track_id for face in faces)
        size = (image.shape[1], image.shape[0])
        if not self.sizes or next(reversed(self.sizes.values())) != size:
            self.sizes[self.frames] = size

    def has_other_size(self, image: "Image") -> bool:
        """Whether an image has not the size of the first frame."""
        size = (image.shape[1], image.shape[0])
        return self.sizes.get(1, size) != size

    @property
    def frames_per_second(self) -> float:
        """Frames done in a second of processing."""
        return self.frames / max(time.monotonic() - self.started, 1e-6)


def process_video(
    source: str | Path,
    options: VideoOptions,
    pipeline: "Pipeline | None" = None,
    *,
    draw: "Callable[[Image, Sequence[Face]], Image] | None" = None,
    on_frame: Callable[[VideoStats], object] | None = None,
) -> VideoStats:
    """Track the faces of a video; write a video with drawings, tables with a row per face, or both.

    Whatever ends the processing early, the frames done are kept as valid files; with a full disk,
    only those in CSV and JSON lines. Where frames change their size, the tables go on in the pixels
    of each frame, and the written video fits them into the size of the first one, on black.

    Args:
        source: As in :func:`~facedots.io.video.open_reader`.
        options: What to write, and how.
        pipeline: The networks; by default :class:`~facedots.pipeline.Pipeline` as it is.
        draw: What the written video shows, ``draw(image, faces) -> image``; by default keypoints.
            Where it raises :class:`FaceCountError`, the frame stays as it is.
        on_frame: Called after each frame with the result so far, always the same object.

    Raises:
        OutputError: There is nothing to write, or to draw on, two outputs are the same file, or one
            cannot be written, or is the source.
        VideoError: The source cannot be opened, breaks off, or has no frame in the first
            ``seconds``; older files stay then. Or a frame, which is named, cannot be worked on.

    Example:
        >>> options = VideoOptions(csv=Path("faces.csv"), pose=True)
        >>> stats = process_video("film.mp4", options)  # doctest: +SKIP
        >>> stats.frames, stats.blinks                  # doctest: +SKIP
        (250, {0: 3})
    """
    from facedots.analysis.analyzer import face_columns
    from facedots.io.files import guard_inputs
    from facedots.io.signals import uninterrupted
    from facedots.io.video import Frame, fit_image, open_reader, open_writer
    from facedots.io.video_tables import CsvTable, JsonLinesTable, ParquetTable
    from facedots.pipeline import Pipeline
    from facedots.plots.draw import draw_faces
    from facedots.tracking.tracker import Tracker

    _check_outputs(options, drawn=draw is not None)
    pipeline = pipeline or Pipeline()
    draw = draw or partial(draw_faces, box=False)
    expressions = _Expressions() if options.pose else None
    with ExitStack() as stack:
        stack.enter_context(guard_inputs())
        video = stack.enter_context(open_reader(str(source), options.fps))
        out = options.out
        writer = stack.enter_context(open_writer(out, video, sound=options.sound)) if out else None
        kinds = (
            (CsvTable, options.csv),
            (JsonLinesTable, options.jsonl),
            (ParquetTable, options.parquet),
        )
        columns = face_columns(pipeline.predictor, analyzed=options.pose)
        columns = replace(columns, timestamp=True, pose=True)
        tables = [
            stack.enter_context(kind(path, columns, video.name)) for kind, path in kinds if path
        ]
        every, smooth = options.detect_every, options.smooth
        tracker = Tracker(pipeline.detector, pipeline.predictor, detect_every=every, smooth=smooth)
        stats = VideoStats(_expected_frames(video, options.seconds))
        for frame in _first_seconds(video, options.seconds, options.mirror):
            with _naming_frame(video.name, stats.frames + 1):
                faces = tracker(frame.image, frame.time)
                if expressions:
                    faces = expressions(frame.image, faces, float(frame.time))
                drawn = _drawn(draw, frame.image, faces) if writer else frame.image
            with uninterrupted():
                if writer:
                    image = frame.image if drawn is None else drawn
                    if stats.has_other_size(frame.image):
                        image = fit_image(image, video.info.width, video.info.height)
                    writer.write(Frame(image, frame.time))
                for table in tables:
                    table.write(stats.frames + 1, frame.time, faces)
                stats.add(frame.image, faces)
                stats.undrawn += drawn is None
                stats.detector_runs, stats.damaged = tracker.detector_runs, video.damaged
                stats.blinks = expressions.blinks if expressions else {}
                if on_frame:
                    on_frame(stats)
        stats.damaged = video.damaged
        if not stats.frames:
            raise VideoError(f"{source}: no frame to process, so nothing was written")
    return stats


def _check_outputs(options: VideoOptions, *, drawn: bool) -> None:
    outputs = [path.resolve() for path in options.files]
    if not outputs:
        raise OutputError("nothing to write: give --out, --csv, --jsonl or --parquet")
    if drawn and not options.out:
        raise OutputError("nothing to draw on: give --out, the video to write")
    if len(set(outputs)) < len(outputs):
        raise OutputError("two of the files to write are the same")


@contextmanager
def _naming_frame(source: str, number: int) -> "Iterator[None]":
    """Let the errors of a frame name it."""
    try:
        yield
    except FacedotsError as error:
        raise VideoError(f"{source}: frame {number}: {error}") from error


def _drawn(
    draw: "Callable[[Image, Sequence[Face]], Image]", image: "Image", faces: "Sequence[Face]"
) -> "Image | None":
    """The image with what is drawn on it; None where that needs more faces."""
    try:
        return draw(image, faces)
    except FaceCountError:
        return None


class _Expressions:
    """Adds what :class:`FaceAnalyzer` measures to tracked faces; counts each track's blinks."""

    def __init__(self) -> None:
        from facedots.analysis.analyzer import FaceAnalyzer
        from facedots.analysis.expression import BlinkCounter

        self._analyze = FaceAnalyzer()
        self._counters: defaultdict[int, BlinkCounter] = defaultdict(BlinkCounter)

    def __call__(self, image: "Image", faces: "Sequence[Face]", seconds: float) -> "list[Face]":
        faces = self._analyze(image, faces)
        for face in faces:
            if face.signals and face.track_id is not None:
                self._counters[face.track_id].update(face.signals, seconds)
        return faces

    @property
    def blinks(self) -> dict[int, int]:
        return {track_id: counter.count for track_id, counter in sorted(self._counters.items())}


def _expected_frames(video: "VideoReader", seconds: float | None) -> int | None:
    """Frames of a source or of its first seconds; ``None`` where it does not tell."""
    total = video.info.frames
    if seconds is None:
        return total
    allowed = max(1, round(seconds * video.info.rate))
    return min(total, allowed) if total else allowed


def _first_seconds(video: "VideoReader", seconds: float | None, mirror: bool) -> "Iterator[Frame]":
    """The frames of a source, or those of its first seconds, mirrored on request."""
    first = None
    for frame in video:
        first = frame.time if first is None else first
        if seconds is not None and frame.time - first >= seconds:
            return
        yield replace(frame, image=frame.image[:, ::-1].copy()) if mirror else frame
