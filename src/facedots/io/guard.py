"""The inputs of a command, which none of its outputs may replace."""

import contextlib
import os
from collections.abc import Iterable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path

from facedots.errors import OutputError


@dataclass(frozen=True)
class _Guard:
    """Files that a command reads, by device and number, and those that it is writing."""

    inputs: set[tuple[int, int]] = field(default_factory=set)
    outputs: set[Path] = field(default_factory=set)


_guard: ContextVar[_Guard | None] = ContextVar("guard", default=None)


@contextlib.contextmanager
def guard_inputs() -> Iterator[None]:
    """In this block, no :class:`~facedots.io.files.AtomicFile` lands on a file given to
    :func:`protect`, or on one that another is about to write. An inner block changes nothing.
    """
    if _guard.get():
        yield
        return
    token = _guard.set(_Guard())
    try:
        yield
    finally:
        _guard.reset(token)


def protect(paths: Iterable[str | Path]) -> None:
    """Name files as inputs, by whatever path or link; see :func:`guard_inputs`."""
    if guard := _guard.get():
        for path in paths:
            with contextlib.suppress(OSError, ValueError):
                guard.inputs.add(_identity(os.stat(path)))  # noqa: PTH116 (a million of them)


def is_input(path: str | Path) -> bool:
    """Whether a path leads to a file that :func:`protect` named."""
    guard = _guard.get()
    try:
        return guard is not None and _identity(Path(path).stat()) in guard.inputs
    except OSError:
        return False


def _identity(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino


def claim(target: Path, real: Path) -> None:
    """Begin to write a file.

    Args:
        target: The file as the user named it.
        real: The file itself, all links followed.

    Raises:
        OutputError: It is an input, or another output is the same file.
    """
    if is_input(real):
        raise OutputError(f"{target}: is an input, and would be overwritten; choose another name")
    if guard := _guard.get():
        if real in guard.outputs:
            raise OutputError(f"{target}: two of the files to write are the same")
        guard.outputs.add(real)


def release(real: Path) -> None:
    """End the writing of a file."""
    if guard := _guard.get():
        guard.outputs.discard(real)
