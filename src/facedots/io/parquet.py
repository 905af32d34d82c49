"""Apache Parquet through pyarrow (extra ``parquet``): rows into a file, group by group; reading."""

import contextlib
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from facedots.errors import DataError, OutputError, explain_missing_extra
from facedots.io.files import AtomicFile, Closable, output_errors
from facedots.io.remote import open_binary
from facedots.io.results import SCHEMA_VERSION, Row

_ROWS_PER_GROUP = 1000


def load_pyarrow() -> Any:
    """The package pyarrow with its module ``parquet``.

    Raises:
        MissingExtra: It is not installed.
    """
    with explain_missing_extra():
        import pyarrow
        import pyarrow.parquet
    return pyarrow


class DamagedError(DataError):
    """A Parquet file is missing, damaged, or none."""


@contextlib.contextmanager
def open_parquet(location: str) -> Iterator[Any]:
    """The ``pyarrow.parquet.ParquetFile`` at a path or an address.

    Raises:
        DamagedError: It cannot be read.
        DownloadError: The address cannot be opened.
    """
    pyarrow = load_pyarrow()
    try:
        with open_binary(location) as file, pyarrow.parquet.ParquetFile(file) as table:
            yield table
    except (OSError, ValueError, pyarrow.ArrowException) as error:
        reason = " ".join(str(error).split())
        raise DamagedError(f"{location}: Parquet that cannot be read: {reason}") from error


class RowFile(Closable):
    """A Parquet file that grows by rows. Where the disk is full, there is no file. Its time is that
    of its beginning, as a :class:`~facedots.io.result_files.RecordFile`'s.

    Args:
        path: The file.
        types: The columns: the name of pyarrow's function for the type by the column's name.
        compression: As pyarrow calls it.

    Raises:
        OutputError: The file cannot be written.

    Example:
        >>> with RowFile("faces.parquet", {"face_id": "int64"}) as file:  # doctest: +SKIP
        ...     file.write([[0], [1]])
    """

    def __init__(
        self, path: str | Path, types: Mapping[str, str], compression: str = "snappy"
    ) -> None:
        pyarrow = load_pyarrow()
        fields = [(name, getattr(pyarrow, kind)()) for name, kind in types.items()]
        metadata = {"facedots.schema_version": str(SCHEMA_VERSION)}
        self._schema = pyarrow.schema(fields, metadata=metadata)
        self._table, self._path = pyarrow.Table, Path(path)
        self._rows: list[Row] = []
        self._file = AtomicFile(path)
        self._is_empty, self._started = True, time.time_ns()
        with self._or_none():
            self._raw = self._file.open()
            self._writer = pyarrow.parquet.ParquetWriter(
                self._raw, self._schema, compression=compression
            )

    def write(self, rows: Sequence[Row]) -> None:
        """Append rows, each with the values in the order of the columns."""
        self.check_open(OutputError(f"{self._path}: is closed; write inside the with block"))
        self._is_empty = False
        self._rows += rows
        if len(self._rows) >= _ROWS_PER_GROUP:
            with self._or_none():
                self._flush()

    def note(self, key: str, text: str) -> None:
        """Keep a text in the file's metadata."""
        self._writer.add_key_value_metadata({key: text})

    def _flush(self) -> None:
        if self._rows:
            columns = zip(*self._rows, strict=True)
            arrays = dict(zip(self._schema.names, map(list, columns), strict=True))
            self._writer.write_table(self._table.from_pydict(arrays, schema=self._schema))
        self._rows = []

    def _close(self) -> None:
        """Finish the file and give it its name."""
        with self._or_none(), self._raw:
            self._flush()
            self._writer.close()
            if not self._file.is_stream:
                os.utime(self._file.path, ns=(self._started, self._started))
        self._file.commit()

    def discard(self) -> None:
        """Give the file up; nothing is left of it."""
        if self._is_open:
            self._is_open = False
            with contextlib.suppress(OSError):  # its end does not fit on the disk
                self._writer.close()
            self._raw.close()
            self._file.rollback()

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        """Keep the rows; of an error before the first one nothing is left."""
        if error is not None and self._is_empty:
            self.discard()
        else:
            self.close()

    @contextlib.contextmanager
    def _or_none(self) -> Iterator[None]:
        """Delete the file where the block fails: its end says where its rows are."""
        try:
            with output_errors(self._path):
                yield
        except BaseException:
            self._is_open = False
            self._file.rollback()
            raise
