"""``facedots filter``: stickers and make-up on the faces of pictures."""

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
from facedots.errors import FacedotsError

if TYPE_CHECKING:
    from facedots.geometry import Image
    from facedots.io.inputs import Picture


def filter_pictures(
    sources: Sources,
    *,
    effects: Annotated[
        str,
        typer.Option(
            "--with", metavar="NAME,…", help="Effects in the order in which they go on, and own stickers as .yaml files."
        ),
    ],
    out: Annotated[Path, typer.Option(file_okay=False, help="Folder for the new pictures.")],
    model: Model = "small",
    detector: DetectorChoice = DetectorName.RETINAFACE,
    detector_file: DetectorFile = None,
    max_side: MaxSide = 1024,
    recursive: Recursive = False,
    passes: Passes = 1,
    threads: Threads = 1,
) -> None:
    """Put stickers and make-up on every face: sunglasses, moustache, hat, crown, dog-ears, dog-nose, party-mask, lips, …

    A name that is not known gets the list of all. Pictures without a face are written as they are, and reported as such.
    """
    from facedots.effects.base import named_effects
    from facedots.io.images import write_image

    chosen = named_effects(effects)
    pipeline = make_pipeline(model, detector, detector_file, max_side=max_side, passes=passes, threads=threads)
    pictures, failures = find_all(sources, recursive)
    targets = result_paths(pictures, out, "filtered")

    def work(picture: "Picture", image: "Image") -> None:
        faces = pipeline(image)
        for effect in chosen:
            image = effect(image, faces)
        write_image(targets[picture], image)
        typer.echo(f"{targets[picture]}: {len(faces) or 'no'} face{'s' * (len(faces) != 1)}{'' if faces else ' found'}")

    failures += for_each(pictures, work, "filtering")
    report_failures(failures)
    if failures:
        raise typer.Exit(1)


class How(StrEnum):
    """How faces are covered."""

    BLUR = "blur"
    PIXELATE = "pixelate"
    SOLID = "solid"


class IfMissing(StrEnum):
    """What becomes of a picture in which no face is found."""

    ERROR = "error"
    COPY = "copy"
    COVER = "cover"


def anonymise(
    sources: Sources,
    *,
    out: Annotated[Path, typer.Option(file_okay=False, help="Folder for the new pictures.")],
    how: Annotated[How, typer.Option(help="blur and pixelate look better; only solid leaves nothing to recognise.")] = How.BLUR,
    if_missing: Annotated[
        IfMissing, typer.Option(help="No face found: do not write the picture and fail, copy it, or cover all of it.")
    ] = IfMissing.ERROR,
    min_score: Annotated[
        float, typer.Option(min=0.02, max=1, help="Cover whatever the detector believes in that much; not for haar.")
    ] = 0.3,
    model: Model = "small",
    detector: DetectorChoice = DetectorName.RETINAFACE,
    detector_file: DetectorFile = None,
    max_side: MaxSide = 1024,
    recursive: Recursive = False,
    passes: Passes = 1,
    threads: Threads = 1,
) -> None:
    """Cover every face, forehead and chin included; where a face is in doubt, cover more.

    A picture without a face is an error unless --if-missing says otherwise: it is not written, and the exit status is 1.
    The new pictures carry no metadata, so no thumbnail either. Look at them before you publish them: no detector is perfect.
    """
    from facedots.effects.anonymize import Anonymiser
    from facedots.io.images import write_image

    if detector == DetectorName.NONE:
        raise FacedotsError("--detector none sees one object and always answers: the other faces would stay as they are")
    pipeline = make_pipeline(
        model, detector, detector_file, max_side=max_side, passes=passes, threads=threads, min_score=min_score
    )
    anonymiser = Anonymiser(how.value)
    pictures, failures = find_all(sources, recursive)
    targets = result_paths(pictures, out, "anonymous")
    without: list[str] = []

    def work(picture: "Picture", image: "Image") -> None:
        faces = pipeline(image)
        done = f"{len(faces)} face{'s' * (len(faces) != 1)} covered"
        if faces:
            result = anonymiser(image, faces)
        elif if_missing == IfMissing.ERROR:
            raise FacedotsError(f"{picture.location}: no face found, so nothing was written; --if-missing copy or cover goes on")
        elif if_missing == IfMissing.COVER:
            result, done = anonymiser.cover_all(image), "no face found, all of it covered"
        else:
            result, done = image, "no face found, COPIED AS IT IS"
        write_image(targets[picture], result)
        typer.echo(f"{targets[picture]}: {done}")
        if not faces:
            without.append(picture.location)

    failures += for_each(pictures, work, "anonymising")
    if without:
        typer.echo(f"{len(without)} of {len(pictures)} pictures without a face found:", err=True)
        for location in without:
            typer.echo(f"  {location}", err=True)
    report_failures(failures)
    if failures:
        raise typer.Exit(1)
