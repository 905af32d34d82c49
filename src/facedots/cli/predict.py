"""``facedots predict``: dots on the faces of images, as images, JSON and CSV."""

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

if TYPE_CHECKING:
    from facedots.geometry import Image
    from facedots.io.inputs import ImageSource
    from facedots.io.results import ImageResult
    from facedots.pipeline import Pipeline


def predict(
    sources: Sources,
    *,
    out: Annotated[
        Path | None,
        typer.Option(file_okay=False, help="Write the images with dots into this folder."),
    ] = None,
    json_file: JsonFile = None,
    csv_file: Annotated[
        str | None,
        typer.Option("--csv", metavar="FILE", help="Write CSV as OpenFace does; - prints it."),
    ] = None,
    model: Model = "small",
    detector: DetectorChoice = DetectorName.RETINAFACE,
    detector_file: DetectorFile = None,
    max_side: MaxSide = 1024,
    numbers: Annotated[
        bool, typer.Option("--numbers", help="Draw each point's number; small faces are enlarged.")
    ] = False,
    recursive: Recursive = False,
    refine: Refine = 1,
    threads: Threads = 1,
) -> None:
    """Find the faces in images and the keypoints of each; write what was asked for.

    An image that cannot be read does not stop the others: at the end those are listed, and the exit
    status is 1.
    """
    from facedots.io.results import to_csv, to_json

    printed = is_one_printed(json_file, csv_file)
    pipeline = make_pipeline(
        model, detector, detector_file, max_side=max_side, refine=refine, threads=threads
    )
    schema = pipeline.predictor.spec.schema
    image_sources, failures = find_all(sources, recursive)
    results, unread = _predict_all(
        pipeline, image_sources, result_paths(image_sources, out, "dots") if out else {}, numbers
    )
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
    pipeline: "Pipeline",
    image_sources: "list[ImageSource]",
    targets: "dict[ImageSource, Path]",
    numbers: bool,
) -> "tuple[list[ImageResult], list[str]]":
    """The faces of every image that can be read, drawn where there is a target, and what is wrong
    with the others.
    """
    from facedots.io.images import write_image
    from facedots.io.results import ImageResult
    from facedots.plots.draw import draw_faces

    results = []

    def work(image_source: "ImageSource", image: "Image") -> None:
        faces = pipeline(image)
        if image_source in targets:
            write_image(targets[image_source], draw_faces(image, faces, numbers=numbers))
        results.append(ImageResult(image_source.location, image.shape[1], image.shape[0], faces))

    failures = for_each(image_sources, work, "finding faces")
    return results, failures


def _report(results: "list[ImageResult]", to_stderr: bool) -> None:
    """A line an image, and a line in all."""
    for result in results:
        count = len(result.faces)
        found = f"{count} face{'s' * (count != 1)}" if count else "no face found"
        typer.echo(f"{result.source}: {found}", err=to_stderr)
    faces, without = (
        sum(len(result.faces) for result in results),
        sum(not result.faces for result in results),
    )
    if len(results) > 1:
        typer.echo(
            f"{faces} faces in {len(results)} images, {without} of them without a face",
            err=to_stderr,
        )


def demo(
    out: Annotated[
        Path, typer.Option(file_okay=False, help="Where demo.png and demo.json go.")
    ] = Path("out"),
) -> None:
    """Find the face in matplotlib's sample portrait and write demo.png and demo.json.

    The image shows Rear Admiral Grace Hopper; it is a work of the United States Navy and in the
    public domain.
    """
    from facedots.io.files import atomic_write
    from facedots.io.images import read_image, sample_portrait, write_image
    from facedots.io.results import ImageResult, to_json
    from facedots.pipeline import Pipeline
    from facedots.plots.draw import draw_faces

    portrait = sample_portrait()
    image = read_image(portrait)
    pipeline = Pipeline()
    faces = pipeline(image)
    write_image(out / "demo.png", draw_faces(image, faces, face_size=400))
    result = ImageResult(portrait.name, image.shape[1], image.shape[0], faces)
    spec = pipeline.predictor.spec
    atomic_write(out / "demo.json", to_json([result], spec.schema, spec.name))
    typer.echo(
        f"{len(faces)} face, {len(faces) * spec.schema.count} dots: {out / 'demo.png'}, {out / 'demo.json'}"
    )
