"""``facedots align``: every face of images upright in a square of its own, and a table of how it
got there.
"""

import csv
import io
import json
import math
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from facedots.cli.options import (
    DetectorChoice,
    DetectorFile,
    DetectorName,
    JsonFile,
    MaxSide,
    Model,
    Recursive,
    Refine,
    Sources,
    Threads,
    find_all,
    for_each,
    is_one_printed,
    make_pipeline,
    report_failures,
    result_paths,
    write_or_print,
)
from facedots.errors import OutputError
from facedots.io.files import atomic_write

if TYPE_CHECKING:
    from facedots.geometry import Image
    from facedots.io.inputs import ImageSource

if TYPE_CHECKING:
    from facedots.geometry import Image
    from facedots.io.inputs import ImageSource
    from facedots.io.results import ImageResult
    from facedots.types import Face

TABLE = "transforms.csv"
COLUMNS = (
    *("file", "source", "face_id", "confidence", "template", "size"),
    *("m00", "m01", "m02", "m10", "m11", "m12"),
    *("inverse_00", "inverse_01", "inverse_02", "inverse_10", "inverse_11", "inverse_12"),
)


class TemplateName(StrEnum):
    """The templates of :mod:`facedots.analysis.align`."""

    EYES = "eyes"
    ARCFACE112 = "arcface112"
    FFHQ = "ffhq"


def align(
    sources: Sources,
    *,
    out: Annotated[Path, typer.Option(file_okay=False, help=f"Folder for the faces and {TABLE}.")],
    size: Annotated[
        int, typer.Option(min=8, max=4096, help="Side of a face's image, pixels.")
    ] = 112,
    template: Annotated[
        TemplateName, typer.Option(help="Where the parts of a face go.")
    ] = TemplateName.EYES,
    model: Model = "small",
    detector: DetectorChoice = DetectorName.RETINAFACE,
    detector_file: DetectorFile = None,
    max_side: MaxSide = 1024,
    recursive: Recursive = False,
    refine: Refine = 1,
    threads: Threads = 1,
) -> None:
    """Cut every face out, upright and in one place, for recognition networks and collections of
    faces.

    Faces of an image are numbered from 0, the most certain first. The table holds for each the
    affine maps there and back: x' = m00 x + m01 y + m02, y' = m10 x + m11 y + m12, in pixels whose
    centers have whole numbers.
    """
    from facedots.analysis.align import align as align_face
    from facedots.io.images import write_image

    pipeline = make_pipeline(
        model, detector, detector_file, max_side=max_side, refine=refine, threads=threads
    )
    image_sources, failures = find_all(sources, recursive)
    targets = result_paths(image_sources, out, "aligned")
    read = {Path(image_source.location).resolve() for image_source in image_sources}
    rows: list[list[object]] = []

    def work(image_source: "ImageSource", image: "Image") -> None:
        faces = pipeline(image)
        for face_id, face in enumerate(faces):
            target = targets[image_source].with_stem(f"{targets[image_source].stem}_{face_id}")
            if target.resolve() in read:
                raise OutputError(
                    f"{target} is one of the sources and would be overwritten; choose another folder for --out"
                )
            cut = align_face(image, face, size, template.value)
            write_image(target, cut.image)
            maps = [f"{value:.8g}" for value in (*cut.matrix.ravel(), *cut.inverse.ravel())]
            name = target.relative_to(out).as_posix()
            rows.append(
                [
                    name,
                    image_source.location,
                    face_id,
                    f"{face.score:.4f}",
                    template.value,
                    size,
                    *maps,
                ]
            )
        typer.echo(
            f"{image_source.location}: {len(faces) or 'no'} face{'s' * (len(faces) != 1)}{'' if faces else ' found'}"
        )

    failures += for_each(image_sources, work, "aligning")
    table = io.StringIO()
    csv.writer(table, lineterminator="\n").writerows([COLUMNS, *rows])
    atomic_write(out / TABLE, table.getvalue())
    report_failures(failures)
    if failures:
        raise typer.Exit(1)


def pose(
    sources: Sources,
    *,
    json_file: JsonFile = None,
    csv_file: Annotated[
        str | None, typer.Option("--csv", metavar="FILE", help="Write a row a face; - prints it.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(file_okay=False, help="Write the images with the heads' axes here."),
    ] = None,
    focal: Annotated[
        float | None,
        typer.Option(min=1, help="Focal length of the camera in pixels; guessed if not given."),
    ] = None,
    model: Model = "small",
    detector: DetectorChoice = DetectorName.RETINAFACE,
    detector_file: DetectorFile = None,
    max_side: MaxSide = 1024,
    recursive: Recursive = False,
    refine: Refine = 1,
    threads: Threads = 1,
) -> None:
    """Read off faces how the head is turned, how open eyes and mouth are, smile and brows.

    Yaw is positive where people turn to their own left, pitch where they look up, roll where the
    head is tilted clockwise as seen. The emotion is a rule of thumb about the shape of a face, not
    a finding about a person.
    """
    from facedots.analysis.expression import FaceReader
    from facedots.analysis.pose import Camera, draw_axes
    from facedots.io.images import write_image
    from facedots.io.results import ImageResult

    printed = is_one_printed(json_file, csv_file)
    pipeline = make_pipeline(
        model, detector, detector_file, max_side=max_side, refine=refine, threads=threads
    )
    image_sources, failures = find_all(sources, recursive)
    targets = result_paths(image_sources, out, "pose") if out else {}
    results: list[ImageResult] = []

    def work(image_source: "ImageSource", image: "Image") -> None:
        height, width = image.shape[:2]
        camera = Camera.guess((height, width), focal)
        faces = FaceReader(camera)(image, pipeline(image))
        if image_source in targets:
            write_image(
                targets[image_source],
                draw_axes(image, [face.pose for face in faces if face.pose], camera),
            )
        results.append(ImageResult(image_source.location, width, height, faces))

    failures += for_each(image_sources, work, "reading faces")
    for result in results:
        for line in _lines(result):
            typer.echo(line, err=printed)
    if json_file:
        write_or_print(json_file, _json(results, model))
    if csv_file:
        write_or_print(csv_file, _csv(results))
    report_failures(failures)
    if failures:
        raise typer.Exit(1)


def _guess(face: "Face") -> str | None:
    """The word for a face whose signals are known."""
    from facedots.analysis.expression import guess_emotion

    return guess_emotion(face.signals).name if face.signals else None


def _lines(result: "ImageResult") -> list[str]:
    """What a person wants to know, a line a face."""
    if not result.faces:
        return [f"{result.source}: no face found"]
    lines = []
    for face in result.faces:
        if face.pose is None or face.signals is None:
            lines.append(f"{result.source}: a face whose points make no head")
            continue
        pose = f"yaw {round(face.pose.yaw):+}° pitch {round(face.pose.pitch):+}° roll {round(face.pose.roll):+}°"
        lines.append(
            f"{result.source}: {pose}, smile {face.signals['smile']:+.2f}, looks {_guess(face)}"
        )
    return lines


def _json(results: "list[ImageResult]", model: str) -> str:
    """The document of ``facedots predict``, with pose, signals and the guess in each face."""
    from facedots.io.results import to_json
    from facedots.schema import IBUG68

    document = json.loads(to_json(results, IBUG68, model))
    for image, result in zip(document["images"], results, strict=True):
        for fields, face in zip(image["faces"], result.faces, strict=True):
            fields["emotion_guess"] = _guess(face)
    return json.dumps(document, ensure_ascii=False) + "\n"


def _csv(results: "list[ImageResult]") -> str:
    """A row a face, with the column names of ``facedots video``; what is unknown is empty."""
    from facedots.analysis.expression import SIGNALS
    from facedots.io.results import BOX, POSE

    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(
        [
            "frame",
            "face_id",
            "confidence",
            "success",
            *BOX,
            *POSE,
            *SIGNALS,
            "emotion_guess",
            "source",
        ]
    )
    for frame, result in enumerate(results, start=1):
        for face_id, face in enumerate(result.faces):
            pose, signals = face.pose, face.signals or {}
            turned = (
                (pose.yaw, pose.pitch, pose.roll, *pose.translation, pose.reprojection_error)
                if pose
                else [math.nan] * len(POSE)
            )
            values = [*face.box, *turned, *(signals.get(name, math.nan) for name in SIGNALS)]
            cells = ["" if math.isnan(value) else f"{value:.4f}" for value in values]
            table.writerow(
                [frame, face_id, f"{face.score:.4f}", 1, *cells, _guess(face), result.source]
            )
        if not result.faces:
            unknown = [""] * (len(BOX) + len(POSE) + len(SIGNALS) + 1)
            table.writerow([frame, 0, "0.0000", 0, *unknown, result.source])
    return text.getvalue()
