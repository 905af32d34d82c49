"""What commands on images print: progress, results, and what failed."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Self, TypeVar

import typer
from rich.console import Console
from rich.progress import track

from facedots.errors import OutputError
from facedots.io.files import atomic_write

if TYPE_CHECKING:
    from facedots.batch import Draw, FindFaces
    from facedots.types import ImageResult

T = TypeVar("T")
STDOUT = "-"


class ImageRun:
    """The images that a command goes through, and what fails on the way.

    At the end the failures are listed on stderr, and the exit status is 1 if there are any.

    Args:
        sources: Files, folders, patterns and URLs.
        recursive: Search the folders of folders as well.

    Attributes:
        images: The images that the sources name.
        targets: The file that is written for each location.
        failures: The message of each source and image that failed.
    """

    def __init__(self, sources: Iterable[str], recursive: bool) -> None:
        from facedots.batch import list_images

        self.failures: list[str] = []
        self.images = list_images(sources, recursive=recursive, on_error=self.failures.append)
        self.targets: Mapping[str, Path] = {}

    def predict(
        self,
        doing: str,
        pipeline: "FindFaces",
        draw: "Draw | None" = None,
        out: Path | None = None,
        ending: str = "",
    ) -> "Iterator[ImageResult]":
        """The faces of each image, drawn into ``out`` if there is one, with a progress bar."""
        from facedots.batch import predict_images, result_paths

        if out:
            self.targets = result_paths(self.images, out, ending)
        targets, on_error = self.targets, self.failures.append
        results = predict_images(
            self.images, pipeline, draw=draw, targets=targets, on_error=on_error
        )
        return self.show_progress(results, doing)

    def show_progress(self, results: Iterable[T], doing: str) -> Iterator[T]:
        """Pass the results through, with a progress bar where stderr is a terminal."""
        console, total = Console(stderr=True), len(self.images)
        disable = total < 2 or not console.is_terminal
        bar = track(results, doing, total, console=console, transient=True, disable=disable)
        return iter(bar)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self.failures:
            typer.echo("\n  ".join([f"{len(self.failures)} failed:", *self.failures]), err=True)
            if kind is None:
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
