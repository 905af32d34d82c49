"""Tables of the faces of a video, written row by row: CSV, JSON lines, Parquet."""

from abc import abstractmethod
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

from facedots.io.files import Closable
from facedots.io.parquet import RowFile
from facedots.io.result_files import RecordFile
from facedots.io.results import FaceColumns, Row
from facedots.io.text import csv_line, json_line, utf8
from facedots.types import Face


class FaceTable(Closable):
    """A table of the faces of a video, written row by row; whatever ends the writing, the rows so
    far become a valid file.

    A face is a row: ``frame`` counts from 1, ``face_id`` is its track, ``confidence`` its score. A
    frame without a face has a row with ``success`` 0 and no ``face_id``.

    Args:
        path: The file.
        columns: Of the table.
        source: The video's name.

    Raises:
        OutputError: The file cannot be written.

    Example:
        >>> table: FaceTable = CsvTable("faces.csv", columns, "clip.mp4")  # doctest: +SKIP
    """

    def __init__(self, path: str | Path, columns: FaceColumns, source: str) -> None:
        self.columns, self.names = columns, columns.names
        self._source, self._path = source, Path(path)
        self._start()

    def write(self, frame: int, time: Fraction | float, faces: Sequence[Face]) -> None:
        """Append the faces of one frame, all of them or, where the disk is full, none."""
        rows: Sequence[Face | None] = faces or [None]
        tracks = [(face, face.track_id if face else None) for face in rows]
        row, source, seconds = self.columns.row, self._source, float(time)
        self._append([row(frame, track, face, source, seconds) for face, track in tracks])

    @abstractmethod
    def _start(self) -> None:
        """Open the file."""

    @abstractmethod
    def _append(self, rows: Sequence[Row]) -> None:
        """Write the rows of a frame."""


class CsvTable(FaceTable):
    """Comma-separated values under a line of names; what is missing is empty.

    Example:
        >>> with CsvTable("faces.csv", columns, "clip.mp4") as table:  # doctest: +SKIP
        ...     table.write(1, 0.0, faces)
    """

    def _start(self) -> None:
        self._file = RecordFile(self._path, csv_line(self.names))

    def _append(self, rows: Sequence[Row]) -> None:
        self._file.write("".join(csv_line(self.columns.cells(row)) for row in rows))

    def _close(self) -> None:
        """Finish the file and give it its name."""
        self._file.close()

    def __exit__(self, *error: Any) -> None:
        self._file.__exit__(*error)


class JsonLinesTable(CsvTable):
    """A JSON object per line; what is missing is null.

    Example:
        >>> with JsonLinesTable("faces.jsonl", columns, "camera 0") as table:  # doctest: +SKIP
        ...     table.write(1, 0.0, faces)
    """

    def _start(self) -> None:
        self._file = RecordFile(self._path)

    def _append(self, rows: Sequence[Row]) -> None:
        values = (dict(zip(self.names, row, strict=True)) for row in rows)
        self._file.write("".join(map(json_line, values)))


class ParquetTable(FaceTable):
    """Apache Parquet through pyarrow (the extra ``parquet``), written in groups of rows. Where the
    disk is full, there is no file.

    Example:
        >>> with ParquetTable("faces.parquet", columns, "clip.mp4") as table:  # doctest: +SKIP
        ...     table.write(1, 0.0, faces)
    """

    def _start(self) -> None:
        self._source = utf8(self._source).decode()
        self._file = RowFile(self._path, self.columns.types)

    def _append(self, rows: Sequence[Row]) -> None:
        self._file.write(rows)

    def _close(self) -> None:
        """Finish the file and give it its name."""
        self._file.close()

    def __exit__(self, *error: Any) -> None:
        self._file.__exit__(*error)
