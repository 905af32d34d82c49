"""Tables of the faces of a video, written row by row: CSV, JSON lines, Parquet."""

import csv
import json
from abc import abstractmethod
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

from facedots.errors import explain_missing_extra
from facedots.io.files import AtomicFile, Closable, output_errors
from facedots.io.results import SCHEMA_VERSION, FaceColumns, Row
from facedots.schema import KeypointSchema
from facedots.types import Face

_INTEGERS = ("frame", "face_id", "success")
_ROWS_PER_GROUP = 1000


class FaceTable(Closable):
    """A table of the faces of a video, written row by row; whatever ends the writing, the rows
    written so far become a valid file.

    A face is a row: ``frame`` counts from 1, ``face_id`` is its track, ``confidence`` its score. A
    frame without a face has a row with ``success`` 0 and no ``face_id``.

    Args:
        path: The file.
        schema: Meaning of the points.
        source: The video's name.
        signals: Expression signals to list, by name.

    Raises:
        OutputError: The file cannot be written.

    Example:
        >>> table: FaceTable = CsvTable("faces.csv", schema, "clip.mp4")  # doctest: +SKIP
    """

    def __init__(
        self, path: str | Path, schema: KeypointSchema, source: str, signals: Sequence[str] = ()
    ) -> None:
        self.columns = FaceColumns(schema, timestamp=True, pose=True, signals=signals)
        self.names = self.columns.names
        self._source = source
        self._file = AtomicFile(path)
        self._is_open = True
        with output_errors(self._file.target):
            self._start()

    def write(self, frame: int, time: Fraction | float, faces: Sequence[Face]) -> None:
        """Append the faces of one frame.

        Raises:
            OutputError: The disk is full.
        """
        rows: Sequence[Face | None] = faces or [None]
        with output_errors(self._file.target):
            for face in rows:
                track = face.track_id if face else None
                self._append(self.columns.row(frame, track, face, self._source, float(time)))

    def close(self) -> None:
        """Finish the file and give it its name; may be called twice.

        Raises:
            OutputError: The disk is full.
        """
        if self._is_open:
            self._is_open = False
            try:
                with output_errors(self._file.target):
                    self._finish()
            finally:
                self._file.commit()

    @abstractmethod
    def _start(self) -> None:
        """Open the file."""

    @abstractmethod
    def _append(self, row: Row) -> None:
        """Write one row."""

    @abstractmethod
    def _finish(self) -> None:
        """Complete the file."""


class CsvTable(FaceTable):
    """Comma-separated values under a line of names; what is missing is empty.

    Example:
        >>> with CsvTable("faces.csv", schema, "clip.mp4") as table:  # doctest: +SKIP
        ...     for number, frame in enumerate(video, start=1):
        ...         table.write(number, frame.time, tracker(frame.image, frame.time))
    """

    def _start(self) -> None:
        self._text = self._file.path.open("w", encoding="utf-8", newline="")
        self._writer = csv.writer(self._text, lineterminator="\n")
        self._writer.writerow(self.names)

    def _append(self, row: Row) -> None:
        self._writer.writerow(self.columns.cells(row))

    def _finish(self) -> None:
        self._text.close()


class JsonLinesTable(FaceTable):
    """A JSON object per line; what is missing is null.

    Example:
        >>> with JsonLinesTable("faces.jsonl", schema, "camera 0") as table:  # doctest: +SKIP
        ...     table.write(1, 0.0, faces)
    """

    def _start(self) -> None:
        self._text = self._file.path.open("w", encoding="utf-8")

    def _append(self, row: Row) -> None:
        line = dict(zip(self.names, row, strict=True))
        self._text.write(json.dumps(line, ensure_ascii=False, allow_nan=False) + "\n")

    def _finish(self) -> None:
        self._text.close()


class ParquetTable(FaceTable):
    """Apache Parquet through pyarrow (the extra ``parquet``), written in groups of rows.

    Example:
        >>> with ParquetTable("faces.parquet", schema, "clip.mp4") as table:  # doctest: +SKIP
        ...     table.write(1, 0.0, faces)

    Raises:
        MissingExtra: pyarrow is not installed.
    """

    def _start(self) -> None:
        with explain_missing_extra():
            import pyarrow
            import pyarrow.parquet
        types = dict.fromkeys(self.names, pyarrow.float64())
        types |= dict.fromkeys(_INTEGERS, pyarrow.int64()) | {"source": pyarrow.string()}
        metadata = {"facedots.schema_version": str(SCHEMA_VERSION)}
        self._types = pyarrow.schema(types.items(), metadata=metadata)
        self._table = pyarrow.Table
        self._writer = pyarrow.parquet.ParquetWriter(self._file.path, self._types)
        self._rows: list[dict[str, int | float | str | None]] = []

    def _append(self, row: Row) -> None:
        self._rows.append(dict(zip(self.names, row, strict=True)))
        if len(self._rows) >= _ROWS_PER_GROUP:
            self._flush()

    def _flush(self) -> None:
        if self._rows:
            self._writer.write_table(self._table.from_pylist(self._rows, schema=self._types))
        self._rows = []

    def _finish(self) -> None:
        self._flush()
        self._writer.close()
