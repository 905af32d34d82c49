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

    Attributes:
        count: Records written so far.

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
        self.count = 0
        self._separator, self._tail = separator, utf8(tail)
        self._end = 0
        self._file = AtomicFile(target)
        self._is_open = True
        try:
            self._raw = self._file.open()
            self._put(head)
        except BaseException:
            self._file.rollback()
            raise

    def write(self, record: str) -> None:
        """Append a record, or raise and leave the file as it was.

        Raises:
            OutputError: The disk is full, or nobody reads the stream any more.
        """
        self._put(record if not self.count else self._separator + record)
        self.count += 1

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

    def _put(self, text: str) -> None:
        data = utf8(text)
        with output_errors(self._file.target):
            if self._file.is_stream:
                write_all(self._raw, data)
                return
            try:
                write_all(self._raw, data + self._tail)
            except BaseException:
                self._restore()
                raise
            self._end += len(data)
            self._raw.seek(self._end)

    def _restore(self) -> None:
        """Put the tail where the failed record began; the place was taken before."""
        try:
            self._raw.seek(self._end)
            write_all(self._raw, self._tail)
            self._raw.truncate()
            self._raw.seek(self._end)
        except OSError:
            self._discard()
            raise

    def _discard(self) -> None:
        self._is_open = False
        self._raw.close()
        self._file.rollback()
