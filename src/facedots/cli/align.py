"""``facedots align``: every face of pictures upright in a square of its own, and a table of how it got there."""

import csv
import io
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from facedots.cli.pictures import (
    DetectorChoice,
    DetectorFile,
    DetectorName,
    MaxSide,
    Model,
    Passes,
    Recursive,
    Sources,
    Threads,
    find_all,
    for_each,
    make_pipeline,
    report_failures,
    result_paths,
)
from facedots.errors import OutputError
from facedots.io.files import write_whole

if TYPE_CHECKING:
    from facedots.io.inputs import Picture
    from facedots.warp import Image

TABLE = "transforms.csv"
COLUMNS = (
    *("file", "source", "face_id", "confidence", "template", "size"),
    *("m00", "m01", "m02", "m10", "m11", "m12"),
    *("inverse_00", "inverse_01", "inverse_02", "inverse_10", "inverse_11", "inverse_12"),
)


class TemplateName(StrEnum):
    """The templates of :mod:`facedots.apps.align`."""

    EYES = "eyes"
    ARCFACE112 = "arcface112"
    FFHQ = "ffhq"


def align(
    sources: Sources,
    *,
    out: Annotated[Path, typer.Option(file_okay=False, help=f"Folder for the faces and {TABLE}.")],
    size: Annotated[int, typer.Option(min=8, max=4096, help="Side of a face's picture, pixels.")] = 112,
    template: Annotated[TemplateName, typer.Option(help="Where the parts of a face go.")] = TemplateName.EYES,
    model: Model = "small",
    detector: DetectorChoice = DetectorName.RETINAFACE,
    detector_file: DetectorFile = None,
    max_side: MaxSide = 1024,
    recursive: Recursive = False,
    passes: Passes = 1,
    threads: Threads = 1,
) -> None:
    """Cut every face out, upright and in one place, for recognition networks and collections of faces.

    Faces of a picture are numbered from 0, the most certain first. The table holds for each the affine maps there and back: x' =
    m00 x + m01 y + m02, y' = m10 x + m11 y + m12, in pixels whose centres have whole numbers.
    """
    from facedots.apps.align import align as align_face
    from facedots.io.images import write_image

    pipeline = make_pipeline(model, detector, detector_file, max_side=max_side, passes=passes, threads=threads)
    pictures, failures = find_all(sources, recursive)
    targets = result_paths(pictures, out, "aligned")
    read = {Path(picture.location).resolve() for picture in pictures}
    rows: list[list[object]] = []

    def work(picture: "Picture", image: "Image") -> None:
        faces = pipeline(image)
        for face_id, face in enumerate(faces):
            target = targets[picture].with_stem(f"{targets[picture].stem}_{face_id}")
            if target.resolve() in read:
                raise OutputError(f"{target} is one of the sources and would be overwritten; choose another folder for --out")
            cut = align_face(image, face, size, template.value)
            write_image(target, cut.image)
            maps = [f"{value:.8g}" for value in (*cut.matrix.ravel(), *cut.inverse.ravel())]
            name = target.relative_to(out).as_posix()
            rows.append([name, picture.location, face_id, f"{face.score:.4f}", template.value, size, *maps])
        typer.echo(f"{picture.location}: {len(faces) or 'no'} face{'s' * (len(faces) != 1)}{'' if faces else ' found'}")

    failures += for_each(pictures, work, "aligning")
    table = io.StringIO()
    csv.writer(table, lineterminator="\n").writerows([COLUMNS, *rows])
    write_whole(out / TABLE, table.getvalue())
    report_failures(failures)
    if failures:
        raise typer.Exit(1)
