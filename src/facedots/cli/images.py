"""Commands that draw on images: ``facedots predict``, ``demo``, ``filter`` and ``anonymize``."""

from functools import partial
from pathlib import Path
from typing import Annotated, Literal

from facedots.cli.options import (
    CsvFile,
    JsonFile,
    MaxPixels,
    PipelineOptions,
    Recursive,
    Resume,
    Sources,
    ThoroughOptions,
    expand_options,
)
from facedots.cli.output import ImageRun, count_faces, echo, is_printed, output_file
from facedots.errors import FacedotsError
from facedots.io.headers import MAX_PIXELS

FULL_SEARCH = "leave out --max-side to search all of it"

OutFolder = Annotated[
    Path, "Folder for the new images, which replace those of the same name.", {"file_okay": False}
]


@expand_options
def predict(
    sources: Sources,
    *,
    out: Annotated[
        Path | None, "Write the images with keypoints into this folder.", {"file_okay": False}
    ] = None,
    json_file: JsonFile = None,
    csv_file: CsvFile = None,
    networks: PipelineOptions,
    numbers: Annotated[bool, "Draw each point's number; small faces are enlarged."] = False,
    recursive: Recursive = False,
    resume: Resume = False,
    max_pixels: MaxPixels = MAX_PIXELS,
) -> None:
    """Find the faces in images and the keypoints of each. Draw them, write JSON or CSV.

    An image that cannot be read does not stop the others: all such are listed at the end, and the
    exit status is 1. Whatever ends the command, Ctrl-C (status 130) or a full disk, the images done
    are in the files, and the others are listed; --resume goes on with these. Existing files are
    replaced, but never an input.
    """
    from facedots.io.result_files import ResultFiles
    from facedots.io.results import FaceColumns
    from facedots.plots.draw import draw_faces

    json_file, csv_file = output_file(json_file), output_file(csv_file)
    printed = is_printed(json_file, csv_file)
    pipeline = networks.load()
    columns = FaceColumns(pipeline.predictor.spec.schema)
    draw = partial(draw_faces, numbers=numbers)
    counts: list[tuple[str, int]] = []
    with ImageRun(sources, recursive, max_pixels) as run:
        run.place(out, "dots")
        try:
            with ResultFiles(json_file, csv_file, columns, networks.model) as files:
                if resume:
                    run.resume(files)
                for result in run.predict("finding faces", pipeline, draw):
                    files.write(result)
                    counts.append((result.source, len(result.faces)))
        finally:
            _print_counts(counts, to_stderr=printed)


def _print_counts(counts: list[tuple[str, int]], to_stderr: bool) -> None:
    """One line per image, and one in total."""
    for source, count in counts:
        echo(f"{source}: {count_faces(count)}", err=to_stderr)
    if len(counts) > 1:
        faces = [count for _, count in counts]
        total = f"{sum(faces)} faces in {len(faces)} images"
        echo(f"{total}, {faces.count(0)} of them without a face", err=to_stderr)


@expand_options
def demo(
    out: Annotated[
        Path, "Where demo.png and demo.json go, over those there.", {"file_okay": False}
    ] = Path("out"),
) -> None:
    """Try it on matplotlib's sample portrait: demo.png and demo.json.

    The image shows Rear Admiral Grace Hopper; it is a work of the United States Navy and in the
    public domain.
    """
    from facedots.io.files import atomic_write
    from facedots.io.images import read_image, sample_portrait, write_image
    from facedots.io.results import to_json
    from facedots.pipeline import Pipeline
    from facedots.plots.draw import draw_faces
    from facedots.types import ImageResult

    portrait = sample_portrait()
    image, pipeline = read_image(portrait), Pipeline()
    faces, spec = pipeline(image), pipeline.predictor.spec
    result = ImageResult(portrait.name, image.shape[1], image.shape[0], faces)
    write_image(out / "demo.png", draw_faces(image, faces, face_size=400))
    atomic_write(out / "demo.json", to_json([result], spec.schema, spec.name))
    dots = len(faces) * spec.schema.count
    echo(f"{len(faces)} face, {dots} dots: {out / 'demo.png'}, {out / 'demo.json'}")


@expand_options
def filter_images(
    sources: Sources,
    *,
    effects: Annotated[
        str,
        "Effects in the order in which they go on, and own stickers as .yaml files.",
        {"name": "with", "metavar": "NAME,…"},
    ],
    out: OutFolder,
    networks: PipelineOptions,
    recursive: Recursive = False,
    max_pixels: MaxPixels = MAX_PIXELS,
) -> None:
    """Put stickers and make-up on every face.

    Sunglasses, mustache, hat, crown, dog-ears, dog-nose, party-mask, lips, …

    An unknown name is answered by a list of all names. Images without a face are written as they
    are, and reported as such.
    """
    from facedots.effects.base import chain_effects, named_effects

    draw = chain_effects(named_effects(effects))
    pipeline = networks.load()
    with ImageRun(sources, recursive, max_pixels) as run:
        run.place(out, "filtered")
        for result in run.predict("filtering", pipeline, draw):
            if result.drawing:
                echo(f"{result.drawing}: {count_faces(len(result.faces))}")


@expand_options
def anonymize(
    sources: Sources,
    *,
    out: OutFolder,
    method: Annotated[
        Literal["blur", "pixelate", "solid"],
        "blur and pixelate look better; only solid leaves nothing to recognize.",
    ] = "blur",
    on_no_face: Annotated[
        Literal["error", "copy", "cover"],
        "No face found: do not write the image and fail, copy it, or cover all of it.",
    ] = "error",
    min_score: Annotated[
        float, "Cover detections of at least this score; not for haar.", {"min": 0.02, "max": 1}
    ] = 0.3,
    networks: ThoroughOptions,
    recursive: Recursive = False,
    max_pixels: MaxPixels = MAX_PIXELS,
) -> None:
    """Cover every face, forehead and chin included. An uncertain face is covered more widely.

    An image without a face is an error unless --on-no-face allows it: it is not written, and the
    exit status is 1. So it is where faces were not looked for that the detector could find: small
    ones with --max-side, turned ones with haar. The new images carry no metadata and no thumbnail.
    Look at them before you publish them: no detector is perfect, and faces below 32 pixels and
    heads upside down may stay uncovered.
    """
    from facedots.detection.base import search_limits
    from facedots.effects.anonymize import Anonymizer
    from facedots.io.headers import holds_more_frames

    if networks.detector == "single-object":
        raise FacedotsError(
            "--detector single-object finds one object in every image: other faces would stay "
            "uncovered"
        )
    anonymizer = Anonymizer(method, on_no_face=on_no_face)
    pipeline = networks.load(min_score)
    without_face = "COPIED AS IT IS" if on_no_face == "copy" else "all of it covered"
    with ImageRun(sources, recursive, max_pixels) as run:
        empty = []
        run.place(out, "anonymous")
        for result in run.predict("anonymizing", pipeline, anonymizer):
            done = " covered" if result.faces else f", {without_face}"
            if result.drawing:
                echo(f"{result.drawing}: {count_faces(len(result.faces))}{done}")
            if not result.faces:
                empty.append(result.source)
            missed = search_limits(pipeline.detector, result.width, result.height)
            if missed and not (on_no_face == "cover" and not result.faces):
                fix = "choose another --detector" if networks.detector == "haar" else FULL_SEARCH
                run.failures.append(f"{result.source}: written, but {missed}; {fix}")
            if holds_more_frames(result.source):
                lost = "written, but its first frame alone; split it into images, or use video"
                run.failures.append(f"{result.source}: {lost}")
        if empty:
            title = f"{len(empty)} of {len(run.images)} images without a face found:"
            echo(title, *(f"  {source}" for source in empty), err=True)
