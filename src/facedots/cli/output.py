"""What commands on images print: progress, results, and what failed."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

import typer
from rich.console import Console
from rich.progress import track

from facedots.errors import OutputError
from facedots.io.files import atomic_write

T = TypeVar("T")
STDOUT = "-"


def show_progress(items: Sequence[T], description: str) -> Iterable[T]:
    """Pass items through, with a progress bar on stderr where it is a terminal."""
    console = Console(stderr=True)
    disable = len(items) < 2 or not console.is_terminal
    return track(items, description, console=console, transient=True, disable=disable)


@contextmanager
def collect_failures() -> Iterator[list[str]]:
    """Give a list for the messages of what fails; print it in the end and exit with status 1.

    Raises:
        typer.Exit: There are such messages.
    """
    failures = list[str]()
    try:
        yield failures
    finally:
        if failures:
            typer.echo("\n  ".join([f"{len(failures)} failed:", *failures]), err=True)
    if failures:
        raise typer.Exit(1)


def is_printed(json_file: str | None, csv_file: str | None) -> bool:
    """Whether one of two results goes to standard output.

    Raises:
        OutputError: Both do.
    """
    if json_file == csv_file == STDOUT:
        raise OutputError("--json - and --csv - cannot both be printed; give one of them a file")
    return STDOUT in (json_file, csv_file)


def write_or_print(file: str, text: str) -> None:
    """Write a text into a file, or print it where that is ``-``."""
    if file == STDOUT:
        typer.echo(text, nl=False)
    else:
        atomic_write(file, text)


def count_faces(count: int) -> str:
    """Say how many faces there are.

    >>> count_faces(2), count_faces(1), count_faces(0)
    ('2 faces', '1 face', 'no face found')
    """
    return f"{count} face{'s' * (count != 1)}" if count else "no face found"
