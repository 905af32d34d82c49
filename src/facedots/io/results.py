"""Results as JSON and CSV. Both are text made in one go, for :func:`facedots.io.files.atomic_write`
to put into a file.
"""

import csv
import io
import json
import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from facedots.errors import OutputError, explain_missing_extra
from facedots.geometry import Floats
from facedots.io.files import AtomicFile
from facedots.schema import KeypointSchema
from facedots.types import Face, ImageResult


def to_json(results: Iterable[ImageResult], schema: KeypointSchema, model: str) -> str:
    """One JSON document: ``{"schema", "point_names", "model", "images": [{"source", "width",
    "height", "faces"}]}``.

    A face is what :meth:`Face.to_dict <facedots.types.Face.to_dict>` gives, covariances included;
    numbers are in pixels of the image.
    """
    images = [
        {
            "source": result.source,
            "width": result.width,
            "height": result.height,
            "faces": [face.to_dict() for face in result.faces],
        }
        for result in results
    ]
    document = {
        "schema": schema.name,
        "point_names": schema.names,
        "model": model,
        "images": images,
    }
    return json.dumps(document, ensure_ascii=False, allow_nan=False) + "\n"


def csv_header(schema: KeypointSchema) -> list[str]:
    """The columns of :func:`to_csv`: OpenFace's ``frame, face_id, confidence, success, x_0 … y_0
    …``, then ours.

    Those are sigma and confidence of each point, and the source.

    >>> from facedots.schema import IBUG68
    >>> header = csv_header(IBUG68)
    >>> header[:4], header[-1]
    (['frame', 'face_id', 'confidence', 'success'], 'source')
    >>> header[4], header[72], header[140], header[208]
    ('x_0', 'y_0', 'sigma_0', 'confidence_0')
    """
    points = [
        f"{axis}_{i}" for axis in ("x", "y", "sigma", "confidence") for i in range(schema.count)
    ]
    return ["frame", "face_id", "confidence", "success", *points, "source"]


def to_csv(results: Iterable[ImageResult], schema: KeypointSchema) -> str:
    """One CSV table with a row a face, read by whatever reads OpenFace's: columns by name, no
    spaces after the commas.

    ``frame`` counts the images from 1, ``face_id`` the faces of an image from 0, ``confidence`` is
    the face's score; ``confidence_0`` and on are those of its points. Whole covariances are in the
    JSON only. An image without a face has one row with ``success`` 0 and empty coordinates. What
    the network does not know is empty.
    """
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(csv_header(schema))
    for frame, result in enumerate(results, start=1):
        for face_id, face in enumerate(result.faces):
            places = (face.points[:, 0], face.points[:, 1], face.sigma, face.confidence)
            values = [cell for column in places for cell in _cells(column)]
            table.writerow([frame, face_id, f"{face.score:.4f}", 1, *values, result.source])
        if not result.faces:
            table.writerow([frame, 0, "0.0000", 0, *[""] * (4 * schema.count), result.source])
    return text.getvalue()


def _cells(values: Floats) -> list[str]:
    """Hundredths, of a pixel or of certainty; NaN is empty."""
    return ["" if math.isnan(value) else f"{value:.2f}" for value in values.tolist()]


Row = list[int | float | str | None]

BOX = ("box_x0", "box_y0", "box_x1", "box_y1")
POSE = (
    "yaw",
    "pitch",
    "roll",
    "translation_x",
    "translation_y",
    "translation_z",
    "reprojection_error",
)

_ROWS_A_GROUP = 1000


def columns(schema: KeypointSchema, signals: Iterable[str] = ()) -> list[str]:
    """The columns of a video's table.

    Those of images (:func:`~facedots.io.results.csv_header`) come in the same order; ``timestamp``,
    in seconds, follows ``face_id`` as in OpenFace; the box, the pose and the signals stand before
    ``source``.

    >>> from facedots.schema import IBUG68
    >>> header = columns(IBUG68, ["smile"])
    >>> header[:4], header[-3:]
    (['frame', 'face_id', 'timestamp', 'confidence'], ['reprojection_error', 'smile', 'source'])
    """
    header = csv_header(schema)
    place = header.index("face_id") + 1
    return [*header[:place], "timestamp", *header[place:-1], *BOX, *POSE, *signals, header[-1]]


class FaceTable(ABC):
    """A table being written; whatever ends the writing, what was written so far becomes a valid
    file of that name.

    A face is a row: ``frame`` counts from 1, ``face_id`` is the number of its track, ``confidence``
    the face's score. A frame without a face has a row with ``success`` 0 and no ``face_id``. Pixels
    and the confidence of points are rounded to hundredths, seconds to millionths.

    Args:
        path: The file.
        schema: What the points mean.
        source: What the frames belong to.
        signals: The signals of a face to list, by name.

    Raises:
        OutputError: The file cannot be written.
    """

    def __init__(
        self, path: str | Path, schema: KeypointSchema, source: str, signals: Sequence[str] = ()
    ) -> None:
        self.names = columns(schema, signals)
        self._source, self._signals = source, signals
        self._partial = AtomicFile(path)
        self._open = True

    def write(self, frame: int, time: Fraction | float, faces: Sequence[Face]) -> None:
        """Append the faces of one frame.

        Raises:
            OutputError: The disk is full.
        """
        try:
            rows: Sequence[Face | None] = faces or [None]
            for face in rows:
                self._append(self._row(frame, round(float(time), 6), face))
        except OSError as error:
            raise OutputError(
                f"{self._partial.target}: cannot be written: {error.strerror}"
            ) from error

    def close(self) -> None:
        """Finish the file and give it its name; may be called twice.

        Raises:
            OutputError: The disk is full.
        """
        if not self._open:
            return
        self._open = False
        try:
            self._finish()
        except OSError as error:
            raise OutputError(
                f"{self._partial.target}: cannot be written: {error.strerror}"
            ) from error
        finally:
            self._partial.keep()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @abstractmethod
    def _append(self, row: Row) -> None:
        """Write one row."""

    @abstractmethod
    def _finish(self) -> None:
        """Complete the file."""

    def _row(self, frame: int, seconds: float, face: Face | None) -> Row:
        """The values of one face, or of a frame without one, in the order of the columns."""
        if face is None:
            head: Row = [frame, None, seconds, 0.0, 0]
            return [*head, *[None] * (len(self.names) - len(head) - 1), self._source]
        found = np.concatenate(
            [face.points[:, 0], face.points[:, 1], face.sigma, face.confidence, face.box]
        )
        pose = [math.nan] * len(POSE)
        if face.pose:
            angles = (face.pose.yaw, face.pose.pitch, face.pose.roll)
            pose = [*angles, *face.pose.translation.tolist(), face.pose.reprojection_error]
        felt = [(face.signals or {}).get(name, math.nan) for name in self._signals]
        values = [
            *(_known(value, 2) for value in found.tolist()),
            *(_known(value, 4) for value in [*pose, *felt]),
        ]
        return [
            frame,
            face.track_id,
            seconds,
            round(float(face.score), 4),
            1,
            *values,
            self._source,
        ]


def _known(value: float, digits: int) -> float | None:
    """A number as it is written; what is not known is not there."""
    return round(float(value), digits) if math.isfinite(value) else None


class _TextTable(FaceTable):
    """A table of lines."""

    def __init__(
        self, path: str | Path, schema: KeypointSchema, source: str, signals: Sequence[str] = ()
    ) -> None:
        super().__init__(path, schema, source, signals)
        try:
            self._file = self._partial.path.open("w", encoding="utf-8", newline="")
        except OSError as error:
            raise OutputError(f"{path}: cannot be written: {error.strerror}") from error

    def _finish(self) -> None:
        self._file.close()


class CsvTable(_TextTable):
    """Comma-separated values under a line of names; what is unknown is empty."""

    def __init__(
        self, path: str | Path, schema: KeypointSchema, source: str, signals: Sequence[str] = ()
    ) -> None:
        super().__init__(path, schema, source, signals)
        self._writer = csv.writer(self._file, lineterminator="\n")
        self._writer.writerow(self.names)

    def _append(self, row: Row) -> None:
        self._writer.writerow(row)


class JsonLinesTable(_TextTable):
    """A JSON object a line; what is unknown is null."""

    def _append(self, row: Row) -> None:
        self._file.write(
            json.dumps(dict(zip(self.names, row, strict=True)), ensure_ascii=False, allow_nan=False)
            + "\n"
        )


class ParquetTable(FaceTable):
    """Apache Parquet through pyarrow, which the extra ``parquet`` installs; written in groups of
    rows, so memory stays small.
    """

    def __init__(
        self, path: str | Path, schema: KeypointSchema, source: str, signals: Sequence[str] = ()
    ) -> None:
        with explain_missing_extra():
            import pyarrow
            import pyarrow.parquet
        super().__init__(path, schema, source, signals)
        kinds = {
            "frame": pyarrow.int64(),
            "face_id": pyarrow.int64(),
            "success": pyarrow.int64(),
            "source": pyarrow.string(),
        }
        self._kinds = pyarrow.schema(
            [(name, kinds.get(name, pyarrow.float64())) for name in self.names]
        )
        self._table = pyarrow.table
        try:
            self._writer = pyarrow.parquet.ParquetWriter(self._partial.path, self._kinds)
        except OSError as error:
            raise OutputError(f"{path}: cannot be written: {error.strerror}") from error
        self._waiting: list[Row] = []

    def _append(self, row: Row) -> None:
        self._waiting.append(row)
        if len(self._waiting) >= _ROWS_A_GROUP:
            self._flush()

    def _flush(self) -> None:
        values = [list(column) for column in zip(*self._waiting, strict=True)]
        if values:
            self._writer.write_table(
                self._table(dict(zip(self.names, values, strict=True)), schema=self._kinds)
            )
        self._waiting = []

    def _finish(self) -> None:
        self._flush()
        self._writer.close()
