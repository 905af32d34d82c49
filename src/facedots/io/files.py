"""Files that are written whole or not at all."""

import contextlib
import os
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from facedots.errors import OutputError


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


@contextlib.contextmanager
def output_errors(path: str | Path) -> Iterator[None]:
    """Turn an ``OSError`` into an :class:`OutputError` that names the file to write."""
    try:
        yield
    except OSError as error:
        raise OutputError(f"{path}: cannot be written: {error.strerror}") from error


class AtomicFile:
    """A file that grows under a temporary name, until :meth:`commit` renames it or :meth:`rollback`
    deletes it.

    Args:
        target: The file to make; its folder is made too.

    Attributes:
        target: The final path.
        path: The temporary one in the same folder: hidden, with the same ending.

    Raises:
        OutputError: The folder cannot be made, or the target is a folder.

    Example:
        >>> file = AtomicFile("out/faces.csv")  # doctest: +SKIP
        >>> file.path.write_text("frame,face_id")  # doctest: +SKIP
        >>> file.commit()  # doctest: +SKIP
    """

    def __init__(self, target: str | Path) -> None:
        self.target = Path(target)
        name = f".{self.target.stem}.{os.getpid()}.part{self.target.suffix}"
        self.path = self.target.with_name(name)
        if self.target.is_dir():
            raise OutputError(f"{self.target}: cannot be written: it is a folder")
        with output_errors(self.target):
            self.target.parent.mkdir(parents=True, exist_ok=True)

    def commit(self) -> None:
        """Give the file its name: readers see the old file or the new one, never a part.

        Raises:
            OutputError: The file cannot be renamed.
        """
        try:
            with output_errors(self.target):
                self.path.replace(self.target)
        except OutputError:
            self.rollback()
            raise

    def rollback(self) -> None:
        """Delete the temporary file."""
        with contextlib.suppress(OSError):
            self.path.unlink()


def atomic_write(path: str | Path, data: bytes | str) -> None:
    """Write a whole file: readers see the old file or the new one, never a part.

    Raises:
        OutputError: The folder cannot be made or written.
    """
    file = AtomicFile(path)
    try:
        with output_errors(path):
            file.path.write_bytes(data.encode() if isinstance(data, str) else data)
    except OutputError:
        file.rollback()
        raise
    file.commit()
