"""What a process of a batch does: one part after the other, each into a Parquet file of its own."""

import itertools
import json
import math
import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any, BinaryIO

import cv2

from facedots.analysis.analyzer import FaceAnalyzer, face_columns
from facedots.batch.images import check_finite
from facedots.batch.items import Item, Place, read_items
from facedots.batch.sources import Part
from facedots.errors import DEBUG, DataError, FacedotsError, OutputError, describe_unexpected
from facedots.geometry import Image
from facedots.io.files import Closable, output_errors
from facedots.io.parquet import RowFile, open_parquet
from facedots.io.results import Row
from facedots.io.text import utf8
from facedots.pipeline_options import PipelineOptions
from facedots.schema import IBUG68
from facedots.types import Face

PARTS_FOLDER, ATTEMPTS_FOLDER = "parts", "attempts"
MAX_ATTEMPTS = 3
"""Processes that may end at an image, killed or crashed, before it becomes an error."""
MAX_FAILURES = 20
"""Failed sources that are named at the end."""

_STATS_KEY = "facedots.stats"
_TEXT_COLUMNS = ("model", "version", "error_kind", "error")

FindFaces = Callable[[Image, float], Sequence[Face]]


@dataclass(frozen=True)
class Job:
    """What every process of a batch needs; it can be pickled.

    Attributes:
        out: Absolute folder of the results.
        networks: What finds the faces.
        max_pixels: Larger images are refused.
        frame_step: Take every such frame of a video; None: track all of them.

    Example:
        >>> Job(Path("/out"), PipelineOptions(model="tiny")).part_file(17).name
        'part-0000017.parquet'
    """

    out: Path
    networks: PipelineOptions
    max_pixels: int | None = None
    frame_step: int | None = None

    def part_file(self, number: int) -> Path:
        """Where the rows of a part go."""
        return self.out / PARTS_FOLDER / f"part-{number:07d}.parquet"

    def attempts_file(self, number: int) -> Path:
        """Where is noted how far a part has come, and where processes ended."""
        return self.out / ATTEMPTS_FOLDER / f"part-{number:07d}.txt"


class ProcessKilledError(FacedotsError):
    """Stands for what processes that are no longer there could not raise."""

    def __init__(self) -> None:
        fix = "is it too large for the memory?"
        super().__init__(f"{MAX_ATTEMPTS} processes were killed or crashed at it; {fix}")


@dataclass
class PartStats:
    """Counts of a part, or of several.

    Attributes:
        images: Images and frames worked on.
        faces: Faces in them.
        without_face: Images in which none was found.
        errors: Failed sources by the kind of the error.
        failures: Messages of the first of them; finished parts do not keep these.

    Example:
        >>> total = PartStats(images=2, faces=1)
        >>> total.add(PartStats(images=3)); total.images
        5
    """

    images: int = 0
    faces: int = 0
    without_face: int = 0
    errors: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)

    def add(self, other: "PartStats") -> None:
        """Count another one in."""
        self.images += other.images
        self.faces += other.faces
        self.without_face += other.without_face
        self.errors.update(other.errors)
        self.failures = [*self.failures, *other.failures][:MAX_FAILURES]

    def to_dict(self) -> dict[str, Any]:
        """The counts as plain values for JSON."""
        counts = {key: value for key, value in vars(self).items() if key != "failures"}
        return {**counts, "errors": dict(sorted(self.errors.items()))}


def read_stats(file: Path) -> PartStats:
    """The counts in a finished part.

    Raises:
        DataError: It is no such file.
    """
    with open_parquet(str(file)) as table:
        notes = table.metadata.metadata or {}
    if _STATS_KEY.encode() not in notes:
        raise DataError(f"{file}: not a finished part of a batch")
    values = json.loads(notes[_STATS_KEY.encode()])
    return PartStats(**{**values, "errors": Counter(values["errors"])})


class PartWorker:
    """Finds the faces in parts and writes them; loads the networks once.

    Args:
        job: What to do.

    Example:
        >>> worker = PartWorker(job)  # doctest: +SKIP
        >>> worker(0, part).faces  # doctest: +SKIP
        17
    """

    def __init__(self, job: Job) -> None:
        cv2.setNumThreads(1)
        self._job, self._pipeline = job, job.networks.load()
        predictor = self._pipeline.predictor
        self._analyze = FaceAnalyzer() if predictor.spec.schema == IBUG68 else None
        columns = face_columns(predictor, analyzed=self._analyze is not None)
        self._columns = replace(columns, timestamp=True, covariance=True, pose=True)
        self._types = self._columns.types | dict.fromkeys(_TEXT_COLUMNS, "string")
        self._origin = (predictor.spec.name, version("facedots"))

    def __call__(self, number: int, part: Part) -> PartStats:
        """Write the file of a part, whole or not at all.

        Raises:
            OutputError: It cannot be written.
        """
        stats, job = PartStats(), self._job
        with Attempts(job.attempts_file(number)) as attempts:
            with RowFile(job.part_file(number), self._types, "zstd") as file:
                try:
                    for rows in self.rows(part, stats, attempts):
                        file.write(rows)
                    file.note(_STATS_KEY, json.dumps(stats.to_dict()))
                except BaseException:
                    file.discard()
                    raise
            attempts.forget()
        return stats

    def rows(
        self, part: Part, stats: PartStats, attempts: "Attempts | None" = None
    ) -> Iterator[list[Row]]:
        """The rows of each image of a part; where it cannot be read on, one that says why.

        Args:
            part: The part.
            stats: Counts them.
            attempts: Which images ended earlier processes.
        """
        find, location = self._find_faces(part), part.locations[0]
        items = read_items(part, self._job.max_pixels, self._job.frame_step)
        frame = 0
        for count in itertools.count():
            ended = attempts.begin(count) if attempts else 0
            after = (location, frame + 1, math.nan)
            if ended >= 2 * MAX_ATTEMPTS:  # reading on is what ends the process
                yield self._failure(after, ProcessKilledError(), stats)
                return
            try:
                item = next(items, None)
            except Exception as error:
                yield self._failure(after, error, stats)
                return
            if item is None:
                return
            frame = item.frame
            if ended >= MAX_ATTEMPTS:
                yield self._failure(item.place, ProcessKilledError(), stats)
            else:
                yield self._item_rows(item, find, stats)

    def _item_rows(self, item: Item, find: FindFaces, stats: PartStats) -> list[Row]:
        try:
            faces = find(item.read(), item.time)
            check_finite(faces)
        except Exception as error:
            return self._failure(item.place, error, stats)
        stats.images += 1
        stats.faces += len(faces)
        stats.without_face += not faces
        numbered = enumerate(faces) if faces else [(None, None)]
        return [self._row(item.place, face_id, face) for face_id, face in numbered]

    def _failure(self, place: Place, error: Exception, stats: PartStats) -> list[Row]:
        """The row of what failed; what every source would fail for is raised."""
        is_ours = isinstance(error, FacedotsError)
        if isinstance(error, OutputError | ImportError | AttributeError) or (
            DEBUG in os.environ and not is_ours
        ):
            raise error
        kind = type(error).__name__
        text = str(error) if is_ours else describe_unexpected(error)
        message = text if place[0] in text else f"{place[0]}: {text}"
        stats.add(PartStats(errors=Counter([kind]), failures=[message]))
        return [self._row(place, None, None, (kind, utf8(text).decode()))]

    def _row(
        self,
        place: Place,
        face_id: int | None,
        face: Face | None,
        error: tuple[str | None, str | None] = (None, None),
    ) -> Row:
        source, frame, time = place
        if face and face.track_id is not None:
            face_id = face.track_id
        row = self._columns.row(frame, face_id, face, utf8(source).decode(), time)
        return [*row, *self._origin, *error]

    def _find_faces(self, part: Part) -> FindFaces:
        """What finds the faces of the images of a part, which may be the frames of a video."""
        if part.kind == "video" and self._job.frame_step is None:
            from facedots.tracking.tracker import Tracker

            find: Callable[..., Sequence[Face]] = Tracker(
                self._pipeline.detector, self._pipeline.predictor
            )
        else:

            def find(image: Image, _: float) -> Sequence[Face]:
                return self._pipeline(image)

        analyze = self._analyze
        return lambda image, time: (
            analyze(image, find(image, time)) if analyze else find(image, time)
        )


class Attempts(Closable):
    """Where the processes that worked on a part were when they ended: a file that holds the numbers
    of these images, and of the one at work. It stays open, since opening it anew for each image
    takes some file systems milliseconds.

    Args:
        file: It is there only while the part is at work, or after a process has ended in it.

    Example:
        >>> attempts = Attempts(Path("/out/attempts/part-0000000.txt"))  # doctest: +SKIP
        >>> attempts.begin(0)  # doctest: +SKIP
        0
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._ended = file.read_text().split() if file.is_file() else []
        self._stream: BinaryIO | None = None

    def begin(self, number: int) -> int:
        """Note the image that is next; how many processes ended at it before."""
        with output_errors(self._file):
            if self._stream is None:
                self._stream = self._file.open("wb", buffering=0)
            self._stream.seek(0)  # the numbers rise, so nothing longer stays behind
            self._stream.write(" ".join([*self._ended, str(number)]).encode())
        return self._ended.count(str(number))

    def _close(self) -> None:
        """Leave the file as it is."""
        if self._stream:
            self._stream.close()

    def forget(self) -> None:
        """Remove the file, since the part is done, or was stopped on purpose."""
        self.close()
        self._file.unlink(missing_ok=True)
