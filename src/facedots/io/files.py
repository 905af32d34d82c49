"""Files that are written whole or not at all."""

import contextlib
import os
from pathlib import Path

from facedots.errors import OutputError


def write_whole(path: str | Path, data: bytes | str) -> None:
    """Write a file under a temporary name, then rename it: readers see the old file or the new one, never a part.

    Raises:
        OutputError: The folder cannot be made or written.
    """
    target = Path(path)
    partial = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        partial.write_bytes(data.encode() if isinstance(data, str) else data)
        partial.replace(target)
    except OSError as error:
        with contextlib.suppress(OSError):
            partial.unlink()
        raise OutputError(f"{target}: cannot be written: {error.strerror}") from error
