"""``facedots filter``: stickers and make-up on the faces of images."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from facedots.cli.options import (
    DetectorChoice,
    DetectorFile,
    DetectorName,
    MaxSide,
    Model,
    Recursive,
    Refine,
    Sources,
    Threads,
    find_all,
    for_each,
    make_pipeline,
    report_failures,
    result_paths,
)
from facedots.errors import FacedotsError

if TYPE_CHECKING:
    from facedots.geometry import Image
    from facedots.io.inputs import ImageSource


def filter_images(
    sources: Sources,
    *,
    effects: Annotated[
        str,
        typer.Option(
            "--with",
            metavar="NAME,…",
            help="Effects in the order in which they go on, and own stickers as .yaml files.",
        ),
    ],
    out: Annotated[Path, typer.Option(file_okay=False, help="Folder for the new images.")],
    model: Model = "small",
    detector: DetectorChoice = DetectorName.RETINAFACE,
    detector_file: DetectorFile = None,
    max_side: MaxSide = 1024,
    recursive: Recursive = False,
    refine: Refine = 1,
    threads: Threads = 1,
) -> None:
    """Put stickers and make-up on every face: sunglasses, mustache, hat, crown, dog-ears, dog-nose,
    party-mask, lips, …

    A name that is not known gets the list of all. Images without a face are written as they are,
    and reported as such.
    """
    from facedots.effects.base import named_effects
    from facedots.io.images import write_image

    chosen = named_effects(effects)
    pipeline = make_pipeline(
        model, detector, detector_file, max_side=max_side, refine=refine, threads=threads
    )
    image_sources, failures = find_all(sources, recursive)
    targets = result_paths(image_sources, out, "filtered")

    def work(image_source: "ImageSource", image: "Image") -> None:
        faces = pipeline(image)
        for effect in chosen:
            image = effect(image, faces)
        write_image(targets[image_source], image)
        typer.echo(
            f"{targets[image_source]}: {len(faces) or 'no'} face{'s' * (len(faces) != 1)}{'' if faces else ' found'}"
        )

    failures += for_each(image_sources, work, "filtering")
    report_failures(failures)
    if failures:
        raise typer.Exit(1)


class Method(StrEnum):
    """How faces are covered."""

    BLUR = "blur"
    PIXELATE = "pixelate"
    SOLID = "solid"


class OnNoFace(StrEnum):
    """What becomes of an image in which no face is found."""

    ERROR = "error"
    COPY = "copy"
    COVER = "cover"


def anonymize(
    sources: Sources,
    *,
    out: Annotated[Path, typer.Option(file_okay=False, help="Folder for the new images.")],
    method: Annotated[
        Method,
        typer.Option(help="blur and pixelate look better; only solid leaves nothing to recognize."),
    ] = Method.BLUR,
    on_no_face: Annotated[
        OnNoFace,
        typer.Option(
            help="No face found: do not write the image and fail, copy it, or cover all of it."
        ),
    ] = OnNoFace.ERROR,
    min_score: Annotated[
        float,
        typer.Option(
            min=0.02, max=1, help="Cover whatever the detector believes in that much; not for haar."
        ),
    ] = 0.3,
    model: Model = "small",
    detector: DetectorChoice = DetectorName.RETINAFACE,
    detector_file: DetectorFile = None,
    max_side: MaxSide = 1024,
    recursive: Recursive = False,
    refine: Refine = 1,
    threads: Threads = 1,
) -> None:
    """Cover every face, forehead and chin included; where a face is in doubt, cover more.

    An image without a face is an error unless --on-no-face says otherwise: it is not written, and
    the exit status is 1. The new images carry no metadata, so no thumbnail either. Look at them
    before you publish them: no detector is perfect.
    """
    from facedots.effects.anonymize import Anonymizer
    from facedots.io.images import write_image

    if detector == DetectorName.SINGLE_OBJECT:
        raise FacedotsError(
            "--detector single-object finds one object in every image: other faces would stay uncovered"
        )
    pipeline = make_pipeline(
        model,
        detector,
        detector_file,
        max_side=max_side,
        refine=refine,
        threads=threads,
        min_score=min_score,
    )
    anonymizer = Anonymizer(method.value)
    image_sources, failures = find_all(sources, recursive)
    targets = result_paths(image_sources, out, "anonymous")
    without: list[str] = []

    def work(image_source: "ImageSource", image: "Image") -> None:
        faces = pipeline(image)
        done = f"{len(faces)} face{'s' * (len(faces) != 1)} covered"
        if faces:
            result = anonymizer(image, faces)
        elif on_no_face == OnNoFace.ERROR:
            raise FacedotsError(
                f"{image_source.location}: no face found, so nothing was written; --on-no-face copy or cover goes on"
            )
        elif on_no_face == OnNoFace.COVER:
            result, done = anonymizer.cover_all(image), "no face found, all of it covered"
        else:
            result, done = image, "no face found, COPIED AS IT IS"
        write_image(targets[image_source], result)
        typer.echo(f"{targets[image_source]}: {done}")
        if not faces:
            without.append(image_source.location)

    failures += for_each(image_sources, work, "anonymizing")
    if without:
        typer.echo(f"{len(without)} of {len(image_sources)} images without a face found:", err=True)
        for location in without:
            typer.echo(f"  {location}", err=True)
    report_failures(failures)
    if failures:
        raise typer.Exit(1)
