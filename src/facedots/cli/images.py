"""Commands that draw on images: ``facedots predict``, ``demo``, ``filter`` and ``anonymize``."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from facedots.cli.options import (
    CocoAnnotations,
    CocoResults,
    CsvFile,
    JsonFile,
    MaxPixels,
    Recursive,
    Resume,
    Sources,
    ThoroughOptions,
    expand_options,
    load_ibug68,
)
from facedots.cli.output import ImageRun, count_found, echo, is_printed, output_file
from facedots.errors import FacedotsError
from facedots.io.headers import MAX_PIXELS
from facedots.io.text import count_noun
from facedots.pipeline_options import PipelineOptions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from facedots.geometry import Image
    from facedots.io.coco_results import CocoIds
    from facedots.schema import KeypointSchema
    from facedots.types import Face

FULL_SEARCH = "leave out --search, --min-face and --no-any-angle to look for them"

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
    coco_file: CocoResults = None,
    coco_annotations: CocoAnnotations = None,
    networks: PipelineOptions,
    numbers: Annotated[bool, "Draw each point's number; small faces are enlarged."] = False,
    recursive: Recursive = False,
    resume: Resume = False,
    max_pixels: MaxPixels = MAX_PIXELS,
) -> None:
    """Find the faces in images and the keypoints of each. Draw them, write JSON, CSV or COCO.

    An image that cannot be read does not stop the others: all such are listed at the end, and the
    exit status is 1. Whatever ends the command, Ctrl-C (status 130) or a full disk, the images done
    are in the files, and the others are listed; --resume goes on with these. Existing files are
    replaced, but never an input.
    """
    from facedots.analysis.analyzer import face_columns
    from facedots.io.result_files import ResultFiles
    from facedots.plots.draw import draw_faces

    json_file, csv_file, coco_file = map(output_file, (json_file, csv_file, coco_file))
    printed = is_printed(json_file, csv_file, coco_file)
    pipeline = networks.load()
    columns = face_columns(pipeline.predictor)
    draw = partial(draw_faces, numbers=numbers)
    counts, lines = list[int](), list[str]()
    with ImageRun(sources, recursive, max_pixels) as run:
        run.place(out, "dots")
        ids = _coco_ids(run, columns.schema, coco_annotations) if coco_file else None
        try:
            with ResultFiles(
                json_file,
                csv_file,
                columns,
                networks.model,
                options=networks.recorded,
                coco_file=coco_file,
                coco_ids=ids,
            ) as files:
                if resume:
                    run.resume(files)
                for result in run.predict("finding faces", pipeline, draw):
                    files.write(result)
                    counts.append(len(result.faces))
                    count = count_found(result, pipeline.detector, columns.schema)
                    lines.append(f"{result.source}: {count}")
        finally:
            _print_counts(counts, lines, to_stderr=printed)


def _coco_ids(run: ImageRun, schema: "KeypointSchema", annotations: Path | None) -> "CocoIds":
    from facedots.annotations.coco import coco_ids

    return coco_ids([image.location for image in run.images], schema, annotations)


def _print_counts(counts: list[int], lines: list[str], to_stderr: bool) -> None:
    """One line per image, and one in total."""
    if lines:
        echo(*lines, err=to_stderr)
    if len(counts) > 1:
        total = f"{count_noun(sum(counts), 'face')} in {len(counts)} images"
        echo(f"{total}, {counts.count(0)} of them without a face", err=to_stderr)


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
    echo(f"{count_noun(len(faces), 'face')}, {dots} dots: {out / 'demo.png'}, {out / 'demo.json'}")


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
    pipeline = load_ibug68(networks, "filter")
    with ImageRun(sources, recursive, max_pixels) as run:
        run.place(out, "filtered")
        for result in run.predict("filtering", pipeline, draw):
            if result.drawing:
                echo(f"{result.drawing}: {count_found(result, pipeline.detector)}")


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
    ones with --search or --min-face, lying ones with --no-any-angle, turned ones with haar. The new
    images carry no metadata and no thumbnail. Look at them before you publish them: no detector is
    perfect, faces below 24 pixels may stay uncovered, and in crowds the finder misses more small
    ones than RetinaFace. Videos are not anonymized: cut them into images.
    """
    from facedots.detection.search import MIN_FACE
    from facedots.effects.anonymize import Anonymizer

    if networks.detector == "single-object":
        raise FacedotsError(
            "--detector single-object finds one object in every image: other faces would stay "
            "uncovered"
        )
    anonymizer = Anonymizer(method, on_no_face=on_no_face)
    pipeline = networks.load(min_score)

    def cover(image: "Image", faces: "Sequence[Face]") -> "Image":
        if not faces and on_no_face == "error":
            looked = pipeline.detector.search_range(image.shape[1], image.shape[0])
            raise FacedotsError(
                f"no face found, so nothing was written; looked for {looked}; choose --on-no-face "
                "copy or cover to go on"
            )
        return anonymizer(image, faces)

    without_face = "COPIED AS IT IS" if on_no_face == "copy" else "all of it covered"
    with ImageRun(sources, recursive, max_pixels, all_frames=True) as run:
        empty = []
        run.place(out, "anonymous")
        for result in run.predict("anonymizing", pipeline, cover):
            looked = pipeline.detector.search_range(result.width, result.height)
            if result.drawing:
                count = count_found(result, pipeline.detector)
                done = f"{count} covered" if result.faces else f"no face found, {without_face}"
                echo(f"{result.drawing}: {done}")
            if not result.faces:
                empty.append(f"{result.source}: looked for {looked}")
            missed = looked.omissions(MIN_FACE)
            if missed and not (on_no_face == "cover" and not result.faces):
                fix = "choose another --detector" if networks.detector == "haar" else FULL_SEARCH
                run.failures.append(f"{result.source}: written, but {missed}; {fix}")
        if empty:
            title = f"{len(empty)} of {len(run.images)} images without a face found:"
            echo(title, *(f"  {line}" for line in empty), err=True)
