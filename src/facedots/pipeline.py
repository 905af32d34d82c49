"""From an image to faces with keypoints (:class:`Pipeline`), and from a video to tracked faces
(:func:`process_video`).
"""

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from facedots.detection.base import Detector
from facedots.detection.retinaface import RetinaFace
from facedots.errors import OutputError
from facedots.geometry import Image
from facedots.inference.predictor import KeypointPredictor
from facedots.types import Face

if TYPE_CHECKING:
    from facedots.io.video import Frame, VideoReader


class Pipeline:
    """Finds the faces in an image and the keypoints of each.

    Args:
        detector: Finds the boxes; by default :class:`~facedots.detection.retinaface.RetinaFace`.
        predictor: Finds the keypoints in them; by default the network ``small``.

    Example:
        >>> from facedots.io.images import read_image, sample_portrait
        >>> pipeline = Pipeline()
        >>> faces = pipeline(read_image(sample_portrait()))
        >>> faces[0].points.shape
        (68, 2)
    """

    def __init__(
        self, detector: Detector | None = None, predictor: KeypointPredictor | None = None
    ) -> None:
        self.detector = RetinaFace() if detector is None else detector
        self.predictor = KeypointPredictor() if predictor is None else predictor

    def __call__(self, image: Image) -> list[Face]:
        """Find the faces in an RGB image ``uint8 (H, W, 3)``, highest score first.

        Raises:
            ShapeError: Not such an image.
        """
        detections = self.detector(image)
        keypoints = self.predictor.predict(image, detections.boxes, detections.squares)
        faces = keypoints.faces(detections.boxes, detections.scores)
        return sorted(faces, key=lambda face: -face.score)


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
    started: float = field(default_factory=time.monotonic)

    @property
    def frames_per_second(self) -> float:
        """Frames done in a second of processing."""
        return self.frames / max(time.monotonic() - self.started, 1e-6)


def process_video(
    source: str | Path,
    pipeline: Pipeline | None = None,
    *,
    out: Path | None = None,
    csv: Path | None = None,
    jsonl: Path | None = None,
    parquet: Path | None = None,
    draw: Callable[[Image, Sequence[Face]], Image] | None = None,
    pose: bool = False,
    smooth: bool = True,
    sound: bool = True,
    mirror: bool = False,
    detect_every: int = 30,
    fps: float | None = None,
    seconds: float | None = None,
    on_frame: Callable[[VideoStats], object] | None = None,
) -> VideoStats:
    """Track the faces of a video; write a video with drawings, tables with a row per face, or both.

    Whatever ends the processing early, the frames done are kept as valid files; with a full disk,
    only those in CSV and JSON lines. Where frames change their size, the tables go on in the pixels
    of each frame, and the written video fits them into the size of the first one, on black.

    Args:
        source: As in :func:`~facedots.io.video.open_reader`.
        pipeline: The networks; by default :class:`Pipeline` as it is.
        out: Video to write: .mp4, .mov, .mkv or .webm.
        csv: Table to write, see docs/results.md.
        jsonl: The same as a JSON object per line.
        parquet: The same as Apache Parquet; needs the extra ``parquet``.
        draw: What the written video shows, ``draw(image, faces) -> image``; by default keypoints.
        pose: Estimate head pose and expression signals and count blinks.
        smooth: Smooth the keypoints over time.
        sound: Copy the sound into it; needs the extra ``video``.
        mirror: Mirror every frame before all else, as a selfie view does.
        detect_every: Frames between two runs of the detector while all faces are tracked well.
        fps: Frame rate of a folder of images.
        seconds: Stop after this much of the source.
        on_frame: Called after each frame with the result so far, always the same object.

    Raises:
        OutputError: There is nothing to write, two outputs are the same file, or one cannot be
            written, or is the source.
        VideoError: The source cannot be opened, or breaks off.

    Example:
        >>> stats = process_video("film.mp4", csv=Path("faces.csv"), pose=True)  # doctest: +SKIP
        >>> stats.frames, stats.blinks                                           # doctest: +SKIP
        (250, {0: 3})
    """
    from facedots.io.files import guard_inputs
    from facedots.io.video import Frame, fit_image, open_reader, open_writer
    from facedots.io.video_tables import CsvTable, JsonLinesTable, ParquetTable
    from facedots.plots.draw import draw_faces
    from facedots.tracking.tracker import Tracker

    outputs = [path.resolve() for path in (out, csv, jsonl, parquet) if path]
    if not outputs:
        raise OutputError("nothing to write: give out, csv, jsonl or parquet")
    if len(set(outputs)) < len(outputs):
        raise OutputError("two of the files to write are the same")
    pipeline = pipeline or Pipeline()
    draw = draw or partial(draw_faces, box=False)
    expressions = _Expressions() if pose else None
    with ExitStack() as stack:
        stack.enter_context(guard_inputs())
        video = stack.enter_context(open_reader(str(source), fps))
        writer = stack.enter_context(open_writer(out, video, sound=sound)) if out else None
        kinds = [(CsvTable, csv), (JsonLinesTable, jsonl), (ParquetTable, parquet)]
        schema, signals = pipeline.predictor.spec.schema, expressions.names if expressions else ()
        tables = [
            stack.enter_context(kind(path, schema, video.name, signals))
            for kind, path in kinds
            if path
        ]
        tracker = Tracker(
            pipeline.detector, pipeline.predictor, detect_every=detect_every, smooth=smooth
        )
        stats = VideoStats(_expected_frames(video, seconds))
        for frame in _first_seconds(video, seconds, mirror):
            faces = tracker(frame.image, frame.time)
            if expressions:
                faces = expressions(frame.image, faces, float(frame.time))
                stats.blinks = expressions.blinks
            stats.frames += 1
            stats.frames_without_face += not faces
            stats.track_ids.update(face.track_id for face in faces)
            stats.detector_runs, stats.damaged = tracker.detector_runs, video.damaged
            size = (frame.image.shape[1], frame.image.shape[0])
            if not stats.sizes or next(reversed(stats.sizes.values())) != size:
                stats.sizes[stats.frames] = size
            if writer:
                drawn = draw(frame.image, faces)
                if len(stats.sizes) > 1:
                    drawn = fit_image(drawn, video.info.width, video.info.height)
                writer.write(Frame(drawn, frame.time))
            for table in tables:
                table.write(stats.frames, frame.time, faces)
            if on_frame:
                on_frame(stats)
        stats.damaged = video.damaged
    return stats


class _Expressions:
    """Adds head pose and expression signals to tracked faces; counts the blinks of each track."""

    def __init__(self) -> None:
        from facedots.analysis.expression import SIGNALS, BlinkCounter, FaceAnalyzer

        self.names = SIGNALS
        self._analyze = FaceAnalyzer()
        self._counters: defaultdict[int, BlinkCounter] = defaultdict(BlinkCounter)

    def __call__(self, image: Image, faces: Sequence[Face], seconds: float) -> list[Face]:
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
        yield replace(frame, image=np.ascontiguousarray(frame.image[:, ::-1])) if mirror else frame
