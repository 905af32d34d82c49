"""Text files that grow record by record, and are whole after each."""

from pathlib import Path
from types import TracebackType

from facedots.io.files import AtomicFile, Closable, output_errors, write_all
from facedots.io.names import utf8


class RecordFile(Closable):
    """A text file that grows by whole records. Whatever ends the writing, a full disk too, the file
    holds all records before, and is valid.

    Args:
        target: The file, or a stream; see :class:`~facedots.io.files.AtomicFile`.
        head: What comes first.
        separator: What stands between two records.
        tail: What comes last; in a file it follows the last record at any time.

    Raises:
        OutputError: The file cannot be written, or is an input of the command.

    Example:
        >>> with RecordFile("/dev/null", "[", ", ", "]") as file:
        ...     file.write("1")
        ...     file.count
        1
    """

    def __init__(
        self, target: str | Path, head: str = "", separator: str = "", tail: str = ""
    ) -> None:
        self._separator, self._tail = separator, utf8(tail)
        self._ends = (0, 0, 0)  # records; where the last one ends; where it begins
        self._file = AtomicFile(target)
        self._is_open = True
        try:
            self._raw = self._file.open()
            self._put(head, 0)
        except BaseException:
            self._file.rollback()
            raise

    @property
    def count(self) -> int:
        """Records written so far."""
        return self._ends[0]

    def write(self, record: str) -> None:
        """Append a record, or raise and leave the file as it was.

        Raises:
            OutputError: The disk is full, or nobody reads the stream any more.
        """
        self._put(self._separator + record if self.count else record, 1)

    def undo(self) -> None:
        """Take the last record back, but not from a stream."""
        if not self._file.is_stream:
            count, _, begin = self._ends
            self._ends = (count - 1, begin, begin)
            with output_errors(self._file.target):
                self._restore()

    def close(self) -> None:
        """Finish the file and give it its name; may be called twice.

        Raises:
            OutputError: The file cannot be renamed.
        """
        if self._is_open:
            self._is_open = False
            with output_errors(self._file.target), self._raw:
                if self._file.is_stream:
                    write_all(self._raw, self._tail)
            self._file.commit()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Keep the records; of an error before the first one nothing is left."""
        if error is not None and not self.count and not self._file.is_stream and self._is_open:
            self._discard()
        else:
            self.close()

    def _put(self, text: str, records: int) -> None:
        data, (count, end, _) = utf8(text), self._ends
        ends = (count + records, end + len(data), end)
        with output_errors(self._file.target):
            if self._file.is_stream:
                write_all(self._raw, data)
                self._ends = ends
                return
            try:
                self._raw.seek(end)
                write_all(self._raw, data + self._tail)
                self._ends = ends
            except BaseException:
                self._restore()
                raise

    def _restore(self) -> None:
        """Put the tail where the failed record began; the place was taken before."""
        try:
            self._raw.seek(self._ends[1])
            write_all(self._raw, self._tail)
            self._raw.truncate()
        except OSError:
            self._discard()
            raise

    def _discard(self) -> None:
        self._is_open = False
        self._raw.close()
        self._file.rollback()
