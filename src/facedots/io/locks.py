"""A folder that one process at a time works in."""

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from facedots.io.files import output_errors

LOCK_FILE = ".lock"


@contextlib.contextmanager
def lock_folder(folder: Path) -> Iterator[bool]:
    """Hold a folder, made if need be, against other processes; False where another one does.

    The lock ends with the process, however that ends. File systems without locks are not guarded.

    Raises:
        OutputError: The folder cannot be written.
    """
    with output_errors(folder / LOCK_FILE):
        folder.mkdir(parents=True, exist_ok=True)
        number = os.open(folder / LOCK_FILE, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        yield _lock(number)
    finally:
        os.close(number)


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
