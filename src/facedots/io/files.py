"""Files that are written whole or not at all."""

import contextlib
import os
from pathlib import Path

from facedots.errors import OutputError


class AtomicFile:
    """A file that grows under a temporary name beside its place, until :meth:`keep` renames it or
    :meth:`drop` deletes it.

    Args:
        target: The file to make; its folder is made too.

    Attributes:
        target: Where the file will be.
        path: Where it grows; hidden, with the same ending.

    Raises:
        OutputError: The folder cannot be made, or the target is a folder.
    """

    def __init__(self, target: str | Path) -> None:
        self.target = Path(target)
        self.path = self.target.with_name(
            f".{self.target.stem}.{os.getpid()}.part{self.target.suffix}"
        )
        if self.target.is_dir():
            raise OutputError(f"{self.target}: cannot be written: it is a folder")
        try:
            self.target.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"{self.target}: cannot be written: {error.strerror}") from error

    def keep(self) -> None:
        """Readers see the old file or the new one, never a part.

        Raises:
            OutputError: The file cannot be renamed.
        """
        try:
            self.path.replace(self.target)
        except OSError as error:
            self.drop()
            raise OutputError(f"{self.target}: cannot be written: {error.strerror}") from error

    def finish(self, *, keep: bool) -> None:
        """:meth:`keep` or :meth:`drop`."""
        if keep:
            self.keep()
        else:
            self.drop()

    def drop(self) -> None:
        """Leave nothing behind."""
        with contextlib.suppress(OSError):
            self.path.unlink()


def atomic_write(path: str | Path, data: bytes | str) -> None:
    """Write a file under a temporary name, then rename it: readers see the old file or the new one,
    never a part.

    Raises:
        OutputError: The folder cannot be made or written.
    """
    partial = AtomicFile(path)
    try:
        partial.path.write_bytes(data.encode() if isinstance(data, str) else data)
    except OSError as error:
        partial.drop()
        raise OutputError(f"{path}: cannot be written: {error.strerror}") from error
    partial.keep()
