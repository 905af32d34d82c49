"""``facedots predict``: dots on the faces of pictures, as pictures, JSON and CSV."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from facedots.cli.pictures import (
    DetectorChoice,
    DetectorFile,
    DetectorName,
    JsonFile,
    MaxSide,
    Model,
    Passes,
    Recursive,
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

if TYPE_CHECKING:
    from facedots.io.inputs import Picture
    from facedots.io.sinks import ImageResult
    from facedots.pipeline import Pipeline
    from facedots.warp import Image


def predict(
    sources: Sources,
    *,
    out: Annotated[Path | None, typer.Option(file_okay=False, help="Write the pictures with dots into this folder.")] = None,
    json_file: JsonFile = None,
    csv_file: Annotated[
        str | None, typer.Option("--csv", metavar="FILE", help="Write CSV as OpenFace does; - prints it.")
    ] = None,
    model: Model = "small",
    detector: DetectorChoice = DetectorName.RETINAFACE,
    detector_file: DetectorFile = None,
    max_side: MaxSide = 1024,
    numbers: Annotated[bool, typer.Option("--numbers", help="Draw each point's number; small faces are enlarged.")] = False,
    recursive: Recursive = False,
    passes: Passes = 1,
    threads: Threads = 1,
) -> None:
    """Find the faces in pictures and the keypoints of each; write what was asked for.

    A picture that cannot be read does not stop the others: at the end those are listed, and the exit status is 1.
    """
    from facedots.io.sinks import to_csv, to_json

    printed = is_one_printed(json_file, csv_file)
    pipeline = make_pipeline(model, detector, detector_file, max_side=max_side, passes=passes, threads=threads)
    schema = pipeline.keypointer.spec.schema
    pictures, failures = find_all(sources, recursive)
    results, unread = _predict_all(pipeline, pictures, result_paths(pictures, out, "dots") if out else {}, numbers)
    failures += unread
    _report(results, to_stderr=printed)
    report_failures(failures)
    if json_file:
        write_or_print(json_file, to_json(results, schema, model))
    if csv_file:
        write_or_print(csv_file, to_csv(results, schema))
    if failures:
        raise typer.Exit(1)


def _predict_all(
    pipeline: "Pipeline", pictures: "list[Picture]", targets: "dict[Picture, Path]", numbers: bool
) -> "tuple[list[ImageResult], list[str]]":
    """The faces of every picture that can be read, drawn where there is a target, and what is wrong with the others."""
    from facedots.io.images import write_image
    from facedots.io.sinks import ImageResult
    from facedots.view.keypoints import draw_faces

    results = []

    def work(picture: "Picture", image: "Image") -> None:
        faces = pipeline(image)
        if picture in targets:
            write_image(targets[picture], draw_faces(image, faces, numbers=numbers))
        results.append(ImageResult(picture.location, image.shape[1], image.shape[0], faces))

    failures = for_each(pictures, work, "finding faces")
    return results, failures


def _report(results: "list[ImageResult]", to_stderr: bool) -> None:
    """A line a picture, and a line in all."""
    for result in results:
        count = len(result.faces)
        found = f"{count} face{'s' * (count != 1)}" if count else "no face found"
        typer.echo(f"{result.source}: {found}", err=to_stderr)
    faces, without = sum(len(result.faces) for result in results), sum(not result.faces for result in results)
    if len(results) > 1:
        typer.echo(f"{faces} faces in {len(results)} pictures, {without} of them without a face", err=to_stderr)
