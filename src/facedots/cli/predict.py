"""``facedots predict``: dots on the faces of pictures, as pictures, JSON and CSV."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import track

from facedots.cli.weights_file import weights_file
from facedots.errors import FacedotsError, OutputError, WeightsError
from facedots.io.files import write_whole

if TYPE_CHECKING:
    from facedots.detect.base import Detector
    from facedots.io.inputs import Picture
    from facedots.io.sinks import ImageResult
    from facedots.pipeline import Pipeline

STDOUT = "-"


class DetectorName(StrEnum):
    """The detectors that can be chosen on the command line."""

    RETINAFACE = "retinaface"
    HAAR = "haar"
    YUNET = "yunet"


def predict(
    sources: Annotated[list[str], typer.Argument(metavar="SOURCE", help="Files, folders, patterns in quotes, or URLs.")],
    *,
    out: Annotated[Path | None, typer.Option(file_okay=False, help="Write the pictures with dots into this folder.")] = None,
    json_file: Annotated[str | None, typer.Option("--json", metavar="FILE", help="Write JSON; - prints it.")] = None,
    csv_file: Annotated[
        str | None, typer.Option("--csv", metavar="FILE", help="Write CSV as OpenFace does; - prints it.")
    ] = None,
    model: Annotated[str, typer.Option(help="A name from `facedots models`, an .onnx file, or the folder of a run.")] = "small",
    detector: Annotated[DetectorName, typer.Option(help="Who finds the faces.")] = DetectorName.RETINAFACE,
    detector_file: Annotated[Path | None, typer.Option(help="The weight file of the detector; yunet needs one.")] = None,
    max_side: Annotated[int, typer.Option(min=32, help="Search larger pictures reduced to this side; not for haar.")] = 1024,
    numbers: Annotated[bool, typer.Option("--numbers", help="Draw each point's number; small faces are enlarged.")] = False,
    recursive: Annotated[bool, typer.Option("--recursive", help="Look into the folders of folders too.")] = False,
    threads: Annotated[int, typer.Option(min=1, help="Threads of the networks.")] = 1,
) -> None:
    """Find the faces in pictures and the keypoints of each; write what was asked for.

    A picture that cannot be read does not stop the others: at the end those are listed, and the exit status is 1.
    """
    from facedots.infer.keypointer import Keypointer
    from facedots.io.sinks import to_csv, to_json
    from facedots.pipeline import Pipeline
    from facedots.weights import WEIGHTS

    if json_file == csv_file == STDOUT:
        raise OutputError("--json - and --csv - cannot both be printed; give one of them a file")
    keypointer = Keypointer(model if model in WEIGHTS else weights_file(model), threads)
    pipeline = Pipeline(_detector(detector, detector_file, max_side, threads), keypointer)
    pictures, failures = _find(sources, recursive)
    results, unread = _predict_all(pipeline, pictures, drawn_paths(pictures, out) if out else {}, numbers)
    failures += unread
    _report(results, failures, to_stderr=STDOUT in (json_file, csv_file))
    if json_file:
        _write(json_file, to_json(results, keypointer.spec.schema, model))
    if csv_file:
        _write(csv_file, to_csv(results, keypointer.spec.schema))
    if failures:
        raise typer.Exit(1)


def drawn_paths(pictures: "list[Picture]", out: Path) -> "dict[Picture, Path]":
    """Where each picture is drawn below ``out``: ``<name>_dots.<ending>``, never the same file twice and never a source."""
    taken = {str(Path(picture.location).resolve()).casefold() for picture in pictures}
    paths = {}
    for picture in pictures:
        paths[picture] = _free_path(out / picture.relative, taken)
        taken.add(str(paths[picture].resolve()).casefold())
    return paths


def _free_path(wanted: Path, taken: set[str]) -> Path:
    from facedots.io.images import SUFFIXES

    suffix = wanted.suffix.lower() if wanted.suffix.lower() in SUFFIXES else ".png"
    number = 1
    while True:
        path = wanted.with_name(f"{wanted.stem}_dots{'' if number == 1 else f'_{number}'}{suffix}")
        if str(path.resolve()).casefold() not in taken:
            return path
        number += 1


def _detector(name: DetectorName, file: Path | None, max_side: int, threads: int) -> "Detector":
    if name == DetectorName.HAAR:
        from facedots.detect.haar import Haar

        return Haar()
    if name == DetectorName.YUNET:
        from facedots.detect.yunet import YuNet

        if file is None:
            raise WeightsError(f"--detector yunet needs --detector-file FILE: {YuNet.ORIGIN}")
        return YuNet(file, max_side=max_side)
    from facedots.detect.retinaface import RetinaFace

    return RetinaFace(max_side=max_side, threads=threads)


def _find(sources: list[str], recursive: bool) -> "tuple[list[Picture], list[str]]":
    """The pictures that the sources name, each once, and what is wrong with sources that name none."""
    from facedots.io.inputs import distinct, find_pictures

    pictures, failures = [], []
    for source in sources:
        try:
            pictures += find_pictures(source, recursive)
        except FacedotsError as error:
            failures.append(str(error))
    return list(distinct(pictures)), failures


def _predict_all(
    pipeline: "Pipeline", pictures: "list[Picture]", targets: "dict[Picture, Path]", numbers: bool
) -> "tuple[list[ImageResult], list[str]]":
    """The faces of every picture that can be read, drawn where there is a target, and what is wrong with the others."""
    from facedots.io.images import write_image
    from facedots.io.sinks import ImageResult
    from facedots.view.keypoints import draw_faces

    results, failures = [], []
    console = Console(stderr=True)
    quiet = len(pictures) < 2 or not console.is_terminal
    for picture in track(pictures, "finding faces", console=console, transient=True, disable=quiet):
        try:
            image = picture.read()
            faces = pipeline(image)
            if picture in targets:
                write_image(targets[picture], draw_faces(image, faces, numbers=numbers))
        except OutputError:
            raise
        except FacedotsError as error:
            failures.append(str(error))
        else:
            results.append(ImageResult(picture.location, image.shape[1], image.shape[0], faces))
    return results, failures


def _write(file: str, text: str) -> None:
    if file == STDOUT:
        typer.echo(text, nl=False)
    else:
        write_whole(file, text)


def _report(results: "list[ImageResult]", failures: list[str], to_stderr: bool) -> None:
    """A line a picture, a line in all, and what failed."""
    for result in results:
        count = len(result.faces)
        found = f"{count} face{'s' * (count != 1)}" if count else "no face found"
        typer.echo(f"{result.source}: {found}", err=to_stderr)
    faces, without = sum(len(result.faces) for result in results), sum(not result.faces for result in results)
    if len(results) > 1:
        typer.echo(f"{faces} faces in {len(results)} pictures, {without} of them without a face", err=to_stderr)
    if failures:
        typer.echo(f"{len(failures)} failed:", err=True)
        for failure in failures:
            typer.echo(f"  {failure}", err=True)
