"""Files that are written whole or not at all, and never over an input of the command."""

import contextlib
import errno
import os
import re
import secrets
import stat
import sys
from abc import ABC, abstractmethod
from collections.abc import Iterator
from io import FileIO, RawIOBase
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from facedots.errors import FileNameError, OutputError
from facedots.io.guard import claim, release
from facedots.io.names import utf8


class Closable(ABC):
    """What is closed at the end of a ``with`` block, however it ends."""

    @abstractmethod
    def close(self) -> None:
        """Give files and devices back; may be called twice."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


_OF_ONE_FILE = frozenset(
    {errno.ENAMETOOLONG, errno.EILSEQ, errno.EINVAL, errno.EISDIR, errno.ELOOP}
)
_LONGEST_SUFFIX = 16


@contextlib.contextmanager
def output_errors(path: str | Path) -> Iterator[None]:
    """Turn an ``OSError`` into an :class:`OutputError` that names the file to write, or into a
    :class:`FileNameError` where other files can be written.

    ``BrokenPipeError`` stays: nobody reads the output any more, and nobody needs a message.
    """
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        kind = FileNameError if error.errno in _OF_ONE_FILE else OutputError
        raise kind(f"{path}: cannot be written: {error.strerror}") from error


def stream_number(path: str | Path) -> int | None:
    """The open stream that a path names, as ``/dev/stdout``, ``/dev/fd/63`` or a link to one.

    >>> stream_number("/dev/stdout"), stream_number("faces.json")
    (1, None)
    """
    place = os.path.abspath(path)  # noqa: PTH100 (resolve would follow the link to its end)
    for _ in range(40):
        name = place.replace(os.sep, "/").replace(f"/proc/{os.getpid()}/", "/proc/self/")
        if name in ("/dev/stdout", "/dev/stderr"):
            return 1 if name == "/dev/stdout" else 2
        if match := re.fullmatch(r"/(?:dev|proc/self)/fd/(\d+)", name):
            return int(match[1])
        try:
            link = os.readlink(place)  # noqa: PTH115
        except (OSError, ValueError):
            return None
        place = os.path.normpath(os.path.join(os.path.dirname(place), link))  # noqa: PTH118, PTH120
    return None


class _StandardOutput(RawIOBase):
    """What ``sys.stdout`` is at the time, so that bytes and printed lines keep their order."""

    def write(self, data: Any) -> int:
        sys.stdout.flush()
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
        return len(data)


class AtomicFile:
    """A file that grows under a temporary name, until :meth:`commit` renames it or :meth:`rollback`
    deletes it.

    Links are followed, and a file that is replaced leaves its permissions to the new one. A pipe, a
    terminal or another stream is written to as it is.

    Args:
        target: The file to make; its folder is made too.

    Attributes:
        target: The final path.
        path: The temporary one in the same folder: hidden, with the same ending.
        is_stream: Whether that is the target itself, a stream, which cannot be taken back.

    Raises:
        OutputError: The folder cannot be made; or the target is an input of the command, a folder,
            or a disk.

    Example:
        >>> file = AtomicFile("out/faces.csv")  # doctest: +SKIP
        >>> file.path.write_text("frame,face_id")  # doctest: +SKIP
        >>> file.commit()  # doctest: +SKIP
    """

    def __init__(self, target: str | Path) -> None:
        self.target = Path(target)
        self._number = stream_number(target)
        with output_errors(target):
            self._real = Path(os.path.realpath(target))
            status = None if self._number is not None else _status(self._real)
            self._check(status)
            self.is_stream = self._number is not None or (
                status is not None and not stat.S_ISREG(status.st_mode)
            )
            self.path = self.target
            if not self.is_stream:
                self._real.parent.mkdir(parents=True, exist_ok=True)
                claim(self.target, self._real)
                self.path = self._temporary(status)

    def _check(self, status: os.stat_result | None) -> None:
        if status is None:
            return
        if stat.S_ISDIR(status.st_mode):
            raise FileNameError(f"{self.target}: cannot be written: it is a folder")
        if stat.S_ISBLK(status.st_mode):
            raise OutputError(f"{self.target}: cannot be written: it is a disk")
        if stat.S_ISREG(status.st_mode) and not os.access(self._real, os.W_OK):
            raise FileNameError(f"{self.target}: cannot be written: it is read-only")

    def _temporary(self, status: os.stat_result | None) -> Path:
        """Make the temporary file, whose name nobody can foresee."""
        ending = self._real.suffix
        ending = ending if len(os.fsencode(ending)) <= _LONGEST_SUFFIX else ""
        path = self._real.with_name(f".{secrets.token_hex(8)}.part{ending}")
        mode = 0o666 if status is None else 0o600
        try:
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode))
        except OSError:
            release(self._real)
            raise
        if status is not None:
            with contextlib.suppress(OSError, AttributeError):  # not on Windows
                os.chown(path, status.st_uid, status.st_gid)
            path.chmod(stat.S_IMODE(status.st_mode))
        return path

    def open(self) -> RawIOBase:
        """The temporary file, or the stream, for writing; unbuffered.

        Raises:
            OutputError: The stream cannot be opened.
        """
        with output_errors(self.target):
            if self._number == 1:
                return _StandardOutput()
            if self._number is not None:
                return FileIO(os.dup(self._number), "w")
            return FileIO(os.open(self.path, os.O_WRONLY | getattr(os, "O_BINARY", 0)), "w")

    def commit(self) -> None:
        """Give the file its name: readers see the old file or the new one, never a part.

        Raises:
            OutputError: The file cannot be renamed.
        """
        if self.is_stream:
            return
        release(self._real)
        try:
            with output_errors(self.target):
                self.path.replace(self._real)
        except OutputError:
            self.rollback()
            raise

    def rollback(self) -> None:
        """Delete the temporary file."""
        if not self.is_stream:
            release(self._real)
            with contextlib.suppress(OSError):
                self.path.unlink()


def atomic_write(path: str | Path, data: bytes | str) -> None:
    """Write a whole file: readers see the old file or the new one, never a part.

    Args:
        path: The file, or a stream; see :class:`AtomicFile`.
        data: Text becomes UTF-8; see :func:`~facedots.io.names.utf8`.

    Raises:
        OutputError: The folder cannot be made or written, or the file is an input of the command.
    """
    file = AtomicFile(path)
    try:
        with output_errors(path), file.open() as stream:
            write_all(stream, utf8(data) if isinstance(data, str) else data)
    except BaseException:
        file.rollback()
        raise
    file.commit()


def write_all(file: RawIOBase, data: bytes) -> None:
    """Write bytes to the last one.

    Raises:
        OSError: The disk is full, or nobody reads the stream any more.
    """
    rest = memoryview(data)
    while rest:
        rest = rest[file.write(rest) or 0 :]


def _status(path: Path) -> os.stat_result | None:
    """What a path leads to; None where nothing is there yet."""
    try:
        return path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
