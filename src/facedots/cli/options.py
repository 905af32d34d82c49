"""What the commands that work on images share: finding them, the networks for them, where results
go, and what failed.
"""

from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import track

from facedots.errors import FacedotsError, OutputError, WeightsError
from facedots.inference.weights import weights_file
from facedots.io.files import atomic_write

if TYPE_CHECKING:
    from facedots.geometry import Image
    from facedots.io.inputs import ImageSource
    from facedots.pipeline import Pipeline


class DetectorName(StrEnum):
    """The detectors that can be chosen on the command line."""

    RETINAFACE = "retinaface"
    HAAR = "haar"
    YUNET = "yunet"
    SINGLE_OBJECT = "single-object"


Sources = Annotated[
    list[str], typer.Argument(metavar="SOURCE", help="Files, folders, patterns in quotes, or URLs.")
]
Model = Annotated[
    str, typer.Option(help="A name from `facedots models`, an .onnx file, or the folder of a run.")
]
DetectorChoice = Annotated[
    DetectorName,
    typer.Option(help="Face detector; single-object: one object, by its keypoints alone."),
]
DetectorFile = Annotated[
    Path | None, typer.Option(help="The weight file of the detector; yunet needs one.")
]
MaxSide = Annotated[
    int, typer.Option(min=32, help="Search larger images reduced to this side; not for haar.")
]
Recursive = Annotated[
    bool, typer.Option("--recursive", help="Look into the folders of folders too.")
]
Refine = Annotated[
    int,
    typer.Option(
        min=1,
        max=3,
        help="Refinement passes; 2 re-crops upright around the first prediction (2x slower).",
    ),
]
Threads = Annotated[int, typer.Option(min=1, help="Threads of the networks.")]
JsonFile = Annotated[
    str | None, typer.Option("--json", metavar="FILE", help="Write JSON; - prints it.")
]

STDOUT = "-"


def make_pipeline(
    model: str,
    detector: DetectorName,
    detector_file: Path | None,
    *,
    max_side: int,
    refine: int,
    threads: int,
    min_score: float = 0.8,
) -> "Pipeline":
    """The networks that the options of a command ask for; ``min_score`` is not for haar.

    Raises:
        WeightsError: There are none such, or a weight file is missing.
    """
    from facedots.inference.predictor import KeypointPredictor
    from facedots.inference.weights import WEIGHTS
    from facedots.pipeline import Pipeline

    predictor = KeypointPredictor(
        model if model in WEIGHTS else weights_file(model), threads, refine
    )
    if detector == DetectorName.HAAR:
        from facedots.detection.haar import Haar

        return Pipeline(Haar(), predictor)
    if detector == DetectorName.SINGLE_OBJECT:
        from facedots.detection.base import SingleObjectDetector

        return Pipeline(SingleObjectDetector(predictor), predictor)
    if detector == DetectorName.YUNET:
        from facedots.detection.yunet import YuNet

        if detector_file is None:
            raise WeightsError(f"--detector yunet needs --detector-file FILE: {YuNet.ORIGIN}")
        return Pipeline(YuNet(detector_file, min_score=min_score, max_side=max_side), predictor)
    from facedots.detection.retinaface import RetinaFace

    return Pipeline(RetinaFace(min_score=min_score, max_side=max_side, threads=threads), predictor)


def find_all(sources: list[str], recursive: bool) -> "tuple[list[ImageSource], list[str]]":
    """The images that the sources name, each once, and what is wrong with sources that name none."""
    from facedots.io.inputs import distinct, find_images

    image_sources, failures = [], []
    for source in sources:
        try:
            image_sources += find_images(source, recursive)
        except FacedotsError as error:
            failures.append(str(error))
    return list(distinct(image_sources)), failures


def result_paths(
    image_sources: "list[ImageSource]", out: Path, ending: str
) -> "dict[ImageSource, Path]":
    """Where the result of each image goes below ``out``: ``<name>_<ending>.<suffix>``, no file
    twice and never a source.
    """
    taken = {
        str(Path(image_source.location).resolve()).casefold() for image_source in image_sources
    }
    paths = {}
    for image_source in image_sources:
        paths[image_source] = _free_path(out / image_source.relative, ending, taken)
        taken.add(str(paths[image_source].resolve()).casefold())
    return paths


def _free_path(wanted: Path, ending: str, taken: set[str]) -> Path:
    from facedots.io.images import SUFFIXES

    suffix = wanted.suffix.lower() if wanted.suffix.lower() in SUFFIXES else ".png"
    number = 1
    while True:
        path = wanted.with_name(
            f"{wanted.stem}_{ending}{'' if number == 1 else f'_{number}'}{suffix}"
        )
        if str(path.resolve()).casefold() not in taken:
            return path
        number += 1


def for_each(
    image_sources: "list[ImageSource]", work: "Callable[[ImageSource, Image], None]", doing: str
) -> list[str]:
    """Read every image and work on it; what is wrong with those where that fails. A progress bar
    where somebody watches.

    Raises:
        OutputError: A result cannot be written, so the others could not either.
    """
    failures = []
    console = Console(stderr=True)
    quiet = len(image_sources) < 2 or not console.is_terminal
    for image_source in track(image_sources, doing, console=console, transient=True, disable=quiet):
        try:
            work(image_source, image_source.read())
        except OutputError:
            raise
        except FacedotsError as error:
            message = str(error)
            failures.append(
                message
                if image_source.location in message
                else f"{image_source.location}: {message}"
            )
    return failures


def is_one_printed(json_file: str | None, csv_file: str | None) -> bool:
    """Whether standard output belongs to one of the two.

    Raises:
        OutputError: Both want it.
    """
    if json_file == csv_file == STDOUT:
        raise OutputError("--json - and --csv - cannot both be printed; give one of them a file")
    return STDOUT in (json_file, csv_file)


def write_or_print(file: str, text: str) -> None:
    """Write the text into a file, or print it where that is ``-``."""
    if file == STDOUT:
        typer.echo(text, nl=False)
    else:
        atomic_write(file, text)


def report_failures(failures: list[str]) -> None:
    """List what failed on stderr."""
    if failures:
        typer.echo(f"{len(failures)} failed:", err=True)
    for failure in failures:
        typer.echo(f"  {failure}", err=True)
