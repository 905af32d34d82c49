"""A folder that one process at a time works in."""

import contextlib
import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

from facedots.io.files import output_errors

LOCK_FILE = ".lock"

_held = set[Path]()
_held_guard = threading.Lock()
"""The folders that this process holds. The lock of a file is that of a process: it does not keep
other threads out, and ends when any of its descriptors is closed.
"""


@contextlib.contextmanager
def lock_folder(folder: Path) -> Iterator[bool]:
    """Hold a folder, made if need be, against other processes and other calls of this one; False
    where it is held.

    The lock ends with the process, however that ends. File systems without locks are not guarded.

    Raises:
        OutputError: The folder cannot be written.
    """
    with output_errors(folder / LOCK_FILE):
        folder.mkdir(parents=True, exist_ok=True)
    with _reserve(folder.resolve()) as is_free:
        if not is_free:
            yield False
            return
        with output_errors(folder / LOCK_FILE):
            number = os.open(folder / LOCK_FILE, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            yield _lock(number)
        finally:
            os.close(number)


@contextlib.contextmanager
def _reserve(folder: Path) -> Iterator[bool]:
    """Hold a folder against the other calls of this process; False where one holds it."""
    with _held_guard:
        is_free = folder not in _held
        _held.add(folder)
    try:
        yield is_free
    finally:
        if is_free:
            _held.discard(folder)


def _lock(number: int) -> bool:
    """Lock an open file; False where another process has. Forked workers do not inherit it."""
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(number, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.lockf(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    except OSError:
        return sys.platform != "win32"
    return True
