"""What commands on images print: progress, results, and what failed or was not done."""

import contextlib
import os
import signal
import sys
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar

import typer
from rich.console import Console
from rich.progress import track

from facedots.errors import DEBUG, OutputError
from facedots.io.files import stream_number
from facedots.io.headers import MAX_PIXELS, holds_more_frames
from facedots.io.signals import exit_status, stoppable
from facedots.io.text import count_noun, printable
from facedots.schema import SCHEMAS

if TYPE_CHECKING:
    from facedots.batch.images import Draw, FindFaces
    from facedots.detection.base import Detector, SearchRange
    from facedots.io.inputs import ImageSource
    from facedots.io.result_files import ResultFiles
    from facedots.schema import KeypointSchema
    from facedots.types import ImageResult

T = TypeVar("T")
STDOUT = "-"
_LISTED = 20


@contextlib.contextmanager
def quiet_decoders() -> Iterator[None]:
    """In this block, nobody sees what OpenCV, libpng and the like print on stderr without naming a
    file; what Python prints is seen. With ``--debug`` all is.
    """
    shown = sys.stderr
    if DEBUG in os.environ or shown is not sys.__stderr__ or shown is None:
        yield
        return
    shown.flush()
    with os.fdopen(os.dup(2), "w", 1, shown.encoding, "backslashreplace") as own:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 2)
        os.close(null)
        sys.stderr = own
        try:
            yield
        finally:
            sys.stderr = shown
            own.flush()
            os.dup2(own.fileno(), 2)


class ImageRun:
    """The images that a command goes through, and what fails on the way.

    At the end the failures are listed on stderr, and the exit status is 1 if there are any. Where
    the command is stopped, the images that are not done are listed too; the one that was just being
    written is among them.

    Args:
        sources: Files, folders, patterns and URLs.
        recursive: Search the folders of folders as well.
        max_pixels: Larger images fail.
        all_frames: Images with several frames, of which the first is done, fail; else that is told.

    Attributes:
        images: The images that the sources name.
        targets: The file that is written for each location.
        failures: The message of each source and image that failed.
    """

    def __init__(
        self,
        sources: Iterable[str],
        recursive: bool,
        max_pixels: int = MAX_PIXELS,
        *,
        all_frames: bool = False,
    ) -> None:
        self.failures: list[str] = []
        self.images: list[ImageSource] = []
        self.targets: Mapping[str, Path] = {}
        self._sources, self._recursive, self._max_pixels = sources, recursive, max_pixels
        self._all_frames, self._todo = all_frames, list[str]()
        self._done, self._ending = 0, ""
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Self:
        from facedots.batch.images import list_images

        self._stack.enter_context(stoppable())
        self._stack.enter_context(quiet_decoders())
        self.images = list_images(
            self._sources,
            recursive=self._recursive,
            max_pixels=self._max_pixels,
            on_error=self.failures.append,
            on_skip=partial(echo, err=True),
        )
        return self

    def place(self, out: Path | None, ending: str) -> None:
        """Name the files that are written into ``out``, if there is one."""
        from facedots.batch.images import result_paths

        if out:
            self.targets = result_paths(self.images, out, ending)
            self._ending = f"_{ending}"

    def resume(self, files: "ResultFiles") -> None:
        """Skip the images that an earlier run has written into all the files and drawn, and that
        did not change since.

        Raises:
            OutputError: Nothing is written, or an output is not that of such a run.
        """
        from facedots.io.inputs import is_newer, source_key

        drawn = {
            source
            for source, file in self.targets.items()
            if file.is_file() and not is_newer(source, file)
        }
        missing = {source_key(source) for source in self.targets.keys() - drawn}
        if files:
            done = files.resume(missing)
        elif self.targets:
            if not all(path.stem.endswith(self._ending) for path in self.targets.values()):
                fault = "--resume with --out alone cannot tell images of one name apart"
                raise OutputError(f"{fault}; give --json FILE or --csv FILE too")
            done = {source_key(source) for source in drawn}
        else:
            raise OutputError("--resume needs --json FILE, --csv FILE or --out DIR to go on with")
        todo = [image for image in self.images if source_key(image.location) not in done]
        self._say_skipped(len(self.images) - len(todo))
        self.images = todo

    def predict(
        self, doing: str, pipeline: "FindFaces", draw: "Draw | None" = None
    ) -> "Iterator[ImageResult]":
        """The faces of each image, drawn into the targets if there are any, with a progress bar."""
        from facedots.batch.images import predict_images

        targets, on_error = self.targets, self.failures.append
        results = predict_images(
            self.images, pipeline, draw=draw, targets=targets, on_error=on_error
        )
        return self.show_progress(results, doing)

    def show_progress(
        self, results: "Iterable[ImageResult]", doing: str
    ) -> "Iterator[ImageResult]":
        """Pass the results through, with a progress bar where stderr is a terminal; of images with
        several frames say that the first one was read.
        """
        console, total = Console(stderr=True), len(self.images)
        disable = total < 2 or not console.is_terminal
        self._todo = [image.location for image in self.images]
        for result in track(
            results, doing, total, console=console, transient=True, disable=disable
        ):
            yield result
            if holds_more_frames(result.source):
                self._say_first_frame(result.source)
            self._done = self._todo.index(result.source, self._done) + 1

    def _say_first_frame(self, source: str) -> None:
        if self._all_frames:
            lost = "written, but its first frame alone; cut it into images"
            self.failures.append(f"{source}: {lost}")
        else:
            echo(f"{source}: of several frames or pages, the first alone", err=True)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: object
    ) -> None:
        self._stack.close()
        if self.failures:
            echo(
                f"{len(self.failures)} failed:", *(f"  {line}" for line in self.failures), err=True
            )
        if isinstance(error, KeyboardInterrupt):
            self._say_not_done(f"stopped by {signal.Signals(exit_status(error) - 128).name}")
            raise typer.Exit(exit_status(error)) from None
        if isinstance(error, OutputError) and self._todo:
            self._say_not_done("stopped")
        if self.failures and kind is None:
            raise typer.Exit(1)

    def _say_not_done(self, what: str) -> None:
        rest = self._todo[self._done :]
        more = [f"  … and {len(rest) - _LISTED} more"] if len(rest) > _LISTED else []
        count = f": {len(rest)} of {len(self._todo)} images not done" if self._todo else ""
        title = what + count + ":" * bool(rest)
        echo(title, *(f"  {name}" for name in rest[:_LISTED]), *more, err=True)

    def _say_skipped(self, count: int) -> None:
        if count:
            echo(f"{count} of {len(self.images)} images were done before", err=True)


def output_file(file: Any) -> Any:
    """The file that an option names; ``-`` is the standard output.

    Raises:
        OutputError: The name is empty, as of a variable that is not set.
    """
    if file == "":
        raise OutputError("a file to write has an empty name; leave its option out, or name it")
    return type(file)("/dev/stdout") if str(file) == STDOUT else file


def is_printed(*files: str | Path | None) -> bool:
    """Whether one of the results goes to standard output.

    Raises:
        OutputError: More than one does.
    """
    printed = [file for file in files if file is not None and stream_number(file) == 1]
    if len(printed) > 1:
        raise OutputError("only one result can be printed; give the others a file")
    return bool(printed)


def echo(*lines: object, err: bool = False) -> None:
    """Print lines; whatever file names are in them, each stays one line that harms no terminal."""
    typer.echo("\n".join(printable(str(line)) for line in lines), err=err)


def count_faces(count: int, searched: "SearchRange | None" = None) -> str:
    """Say how many faces there are; without any, what was looked for.

    >>> count_faces(2), count_faces(1), count_faces(0)
    ('2 faces', '1 face', 'no face found')
    """
    if count:
        return count_noun(count, "face")
    return f"no face found; looked for {searched}" if searched else "no face found"


def count_found(
    result: "ImageResult", detector: "Detector", schema: "KeypointSchema | None" = None
) -> str:
    """The same of an image; and where the network's schema may be that of no face, what finds other
    objects.
    """
    searched = detector.search_range(result.width, result.height)
    text = count_faces(len(result.faces), searched)
    if result.faces or schema is None or schema in SCHEMAS.values():
        return text
    return f"{text}; for other objects: --detector single-object"
