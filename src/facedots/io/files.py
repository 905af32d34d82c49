"""Files that are written whole or not at all, and never over an input of the command."""

import contextlib
import errno
import glob
import hashlib
import os
import re
import secrets
import stat
import sys
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from contextvars import ContextVar
from io import FileIO, RawIOBase
from pathlib import Path
from typing import Any, Self

from facedots.errors import FacedotsError, FileNameError, OutputError
from facedots.io.text import utf8

_OF_ONE_FILE = (errno.ENAMETOOLONG, errno.EILSEQ, errno.EINVAL, errno.EISDIR, errno.ELOOP)
_LONGEST_SUFFIX = 16

_guarded: ContextVar[tuple[set[tuple[int, int]], set[Path]] | None]
_guarded = ContextVar("guarded", default=None)
"""Files that a command reads, by device and number, and those that it is writing."""


class Closable(ABC):
    """What is closed at the end of a ``with`` block, however it ends."""

    _is_open = True

    def close(self) -> None:
        """Give files and devices back; may be called twice."""
        if self._is_open:
            self._is_open = False
            self._close()

    def check_open(self, fault: FacedotsError) -> None:
        """Raise the error where it is closed."""
        if not self._is_open:
            raise fault

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self.close()

    @abstractmethod
    def _close(self) -> None: ...


@contextlib.contextmanager
def guard_inputs() -> Iterator[None]:
    """In this block, no :class:`AtomicFile` lands on a file given to :func:`protect`, or on one
    that another is about to write. An inner block changes nothing.
    """
    if _guarded.get():
        yield
        return
    token = _guarded.set((set(), set()))
    try:
        yield
    finally:
        _guarded.reset(token)


def protect(paths: Iterable[str | Path]) -> None:
    """Name files as inputs, by whatever path or link; see :func:`guard_inputs`."""
    if guarded := _guarded.get():
        for path in paths:
            with contextlib.suppress(OSError, ValueError):
                status = os.stat(path)  # noqa: PTH116 (a million of them)
                guarded[0].add((status.st_dev, status.st_ino))


def is_input(path: str | Path) -> bool:
    """Whether a path leads to a file that :func:`protect` named."""
    guarded = _guarded.get()
    with contextlib.suppress(OSError):
        status = Path(path).stat()
        return guarded is not None and (status.st_dev, status.st_ino) in guarded[0]
    return False


def _release(real: Path) -> None:
    if guarded := _guarded.get():
        guarded[1].discard(real)


@contextlib.contextmanager
def output_errors(path: str | Path) -> Iterator[None]:
    """Turn an ``OSError`` into an :class:`OutputError` that names the file to write, or into a
    :class:`FileNameError` where other files can be written. ``BrokenPipeError`` stays: nobody
    reads the output any more.
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
        if sys.stdout is None:  # closed before the program began
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        sys.stdout.flush()
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
        return len(data)


def local_path(path: str | Path) -> Path:
    """A path, where an address would become folders of its name.

    Raises:
        OutputError: It is an address.
    """
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]+:/", str(path)):
        raise OutputError(f"{path}: a local path is needed here, not an address")
    return Path(path)


class AtomicFile:
    """A file that grows under a temporary name, until :meth:`commit` renames it or :meth:`rollback`
    deletes it.

    Links are followed, and a file that is replaced leaves its permissions to the new one. A pipe, a
    terminal or another stream is written to as it is.

    Attributes:
        target: The file to make, with its folder.
        path: The temporary one in the same folder: hidden, with the same ending.
        is_stream: Whether that is the target itself, a stream, which cannot be taken back.

    Raises:
        OutputError: It cannot be made, or is an input of the command, a folder, or a disk.

    Example:
        >>> file = AtomicFile("out/faces.csv")  # doctest: +SKIP
        >>> file.path.write_text("frame,face_id")  # doctest: +SKIP
        >>> file.commit()  # doctest: +SKIP
    """

    def __init__(self, target: str | Path) -> None:
        self.target = self.path = local_path(target)
        self._number = stream_number(target)
        with output_errors(target):
            self._real = Path(os.path.realpath(target))
            status = None if self._number is not None else _status(self._real)
            kind = stat.S_IFMT(status.st_mode) if status else stat.S_IFREG
            if kind == stat.S_IFDIR:
                raise FileNameError(f"{target}: cannot be written: it is a folder")
            if kind == stat.S_IFBLK:
                raise OutputError(f"{target}: cannot be written: it is a disk")
            if status and kind == stat.S_IFREG and not os.access(self._real, os.W_OK):
                raise FileNameError(f"{target}: cannot be written: it is read-only")
            self.is_stream = self._number is not None or kind != stat.S_IFREG
            if not self.is_stream:
                self._real.parent.mkdir(parents=True, exist_ok=True)
                self._claim()
                self.path = self._temporary(status)

    def _claim(self) -> None:
        """Make sure that the file is no input, and that nobody else writes it."""
        self._refuse_input()
        if guarded := _guarded.get():
            if self._real in guarded[1]:
                raise OutputError(f"{self.target}: two of the files to write are the same")
            guarded[1].add(self._real)

    def _refuse_input(self) -> None:
        if is_input(self._real):
            raise OutputError(f"{self.target}: is an input and would be lost; choose another name")

    def _temporary(self, status: os.stat_result | None) -> Path:
        """Make the temporary file, whose name nobody can foresee."""
        start, end = _temporary_name(self._real)
        path = self._real.with_name(f"{start}{secrets.token_hex(8)}{end}")
        mode = 0o666 if status is None else 0o600
        try:
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode))
        except OSError:
            _release(self._real)
            raise
        if status is not None:
            with contextlib.suppress(OSError, AttributeError):  # not on Windows
                os.chown(path, status.st_uid, status.st_gid)
            path.chmod(stat.S_IMODE(status.st_mode))
        return path

    def open(self) -> RawIOBase:
        """The temporary file, or the stream, for writing; unbuffered."""
        with output_errors(self.target):
            if self._number == 1:
                return _StandardOutput()
            if self._number is not None:
                return FileIO(os.dup(self._number), "w")
            return FileIO(os.open(self.path, os.O_WRONLY | getattr(os, "O_BINARY", 0)), "w")

    def commit(self) -> None:
        """Give the file its name: readers see the old file or the new one, never a part."""
        if self.is_stream:
            return
        _release(self._real)
        try:
            self._refuse_input()  # it may have become one since
            with output_errors(self.target):
                self.path.replace(self._real)
        except OutputError:
            self.rollback()
            raise

    def rollback(self) -> None:
        """Delete the temporary file."""
        if not self.is_stream:
            _release(self._real)
            with contextlib.suppress(OSError):
                self.path.unlink()


def atomic_write(path: str | Path, data: bytes | str) -> None:
    """Write a whole file, or into a stream: readers see the old file or the new one, never a part.
    Text becomes UTF-8.

    Raises:
        OutputError: It cannot be written, or is an input of the command.
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
    """Write bytes to the last one."""
    rest = memoryview(data)
    while rest:
        rest = rest[file.write(rest) or 0 :]


def earlier_files(target: str | Path) -> list[tuple[Path, bool]]:
    """A file, if it is there, and what killed runs left for it since, under hidden names; the
    oldest first. Each with whether it is whole: of the latter, the last record may be cut.
    """
    real = Path(os.path.realpath(target))
    start, end = _temporary_name(real)
    left = [(path, _status(path)) for path in real.parent.glob(f"{start}*{glob.escape(end)}")]
    times = {path: status.st_mtime for path, status in left if status}
    is_there = _status(real)
    since = is_there.st_mtime if is_there else 0.0
    newer = sorted((path for path in times if times[path] >= since), key=times.__getitem__)
    return [(real, True)] * bool(is_there) + [(path, False) for path in newer]


def _temporary_name(real: Path) -> tuple[str, str]:
    """How the hidden name of a file begins and ends while it is written."""
    ending = real.suffix if len(os.fsencode(real.suffix)) <= _LONGEST_SUFFIX else ""
    return f".{hashlib.sha256(os.fsencode(real.name)).hexdigest()[:8]}", f".part{ending}"


def _status(path: Path) -> os.stat_result | None:
    """What a path leads to; None where nothing is there yet."""
    try:
        return path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
